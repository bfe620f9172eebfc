// gRPC deadlines.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { grpcTimeoutMs } from "./grpc-timeout.ts";

describe("a grpc-timeout", () => {
  it("counts in hours down to nanoseconds, and is never nothing", () => {
    const cases = { "2H": 7_200_000, "3M": 180_000, "4S": 4_000, "5m": 5, "1500u": 2, "99999999n": 100, "0S": 1 };
    for (const [field, ms] of Object.entries(cases)) assert.equal(grpcTimeoutMs(field), ms, field);
  });

  it("that cannot be read is none", () => {
    for (const field of [undefined, "", "5", "S", "5s", "-1S", "1.5S", "123456789S", "5 S", "5constructor", "1_"])
      assert.equal(grpcTimeoutMs(field), 0, field);
  });
});

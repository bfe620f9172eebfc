// The time that a caller allows, read and written.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HeaderList } from "@ripstop/http";
import { allowedMs, NO_LIMIT, TIMEOUT_HEADER, writeAllowed } from "./request-deadline.ts";

function fields(...pairs: readonly (readonly [string, string])[]): HeaderList {
  const headers = new HeaderList();
  for (const [name, value] of pairs) headers.append(name, value);
  return headers;
}

describe("the time that a caller allows", () => {
  it("is the nearer one of both fields, and grpc-timeout counts for gRPC only", () => {
    const both = fields(["grpc-timeout", "2S"], [TIMEOUT_HEADER, "1500"]);
    assert.equal(allowedMs(both, true), 1500);
    assert.equal(allowedMs(fields(["grpc-timeout", "1S"], [TIMEOUT_HEADER, "1500"]), true), 1000);
    assert.equal(allowedMs(fields(["grpc-timeout", "1S"]), false), NO_LIMIT);
    assert.equal(allowedMs(fields(), true), NO_LIMIT);
  });

  it("is over with 0 or less, and unlimited when it cannot be understood", () => {
    for (const value of ["0", "000", "-1", "-"]) assert.equal(allowedMs(fields([TIMEOUT_HEADER, value]), false), 0);
    for (const value of ["", "1s", "1.5", "1234567890", "0x10"])
      assert.equal(allowedMs(fields([TIMEOUT_HEADER, value]), false), NO_LIMIT);
  });

  it("is written as whole milliseconds, never as 0", () => {
    const headers = fields(["grpc-timeout", "9H"]);
    writeAllowed(headers, 1500.9, true);
    assert.deepEqual([headers.get(TIMEOUT_HEADER), headers.get("grpc-timeout")], ["1500", "1500m"]);
    writeAllowed(headers, 0.2, false);
    assert.equal(headers.get(TIMEOUT_HEADER), "1");
    writeAllowed(headers, 200_000_000, true);
    assert.equal(headers.get("grpc-timeout"), "200000S");
    assert.equal(headers.get(TIMEOUT_HEADER), "200000000");
  });
});

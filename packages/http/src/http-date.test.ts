// The value of Date.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { httpDate } from "./http-date.ts";

describe("httpDate", () => {
  it("writes the example of RFC 9110 §5.6.7, and another second differently", () => {
    assert.equal(httpDate(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert.equal(httpDate(784_111_777_999), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert.equal(httpDate(784_111_778_000), "Sun, 06 Nov 1994 08:49:38 GMT");
  });
});

// What the first bytes say.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { detectProtocol, type Detected } from "./protocol-detector.ts";

function detect(text: string): Detected {
  const bytes = Buffer.from(text, "latin1");
  return detectProtocol(bytes, 0, bytes.length);
}

describe("the first bytes", () => {
  const cases: readonly (readonly [string, Detected])[] = [
    ["", "more"],
    ["GET / HTTP/1.1\r\n", "http1"],
    ["POST ", "http1"],
    ["PROPFIND /", "http1"],
    ["P", "more"],
    ["PR", "more"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest", "http2"],
    ["PRI * HTTP/2.0\r\n\r\nSX", "tcp"],
    ["\x16", "more"],
    ["\x16\x03\x01", "tls"],
    ["\x16\x02", "tcp"],
    ["GETX", "tcp"],
    ["get / HTTP/1.1", "tcp"],
    ["\x00\x01", "tcp"],
    ["*1\r\n$4\r\nPING\r\n", "tcp"],
    ["EHLO x\r\n", "tcp"],
  ];
  for (const [bytes, expected] of cases)
    it(`${JSON.stringify(bytes)} say ${expected}`, () => assert.equal(detect(bytes), expected));

  it("say the same however they are split: never HTTP and then something else", () => {
    for (const text of ["GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x03", "DELETE /x"]) {
      let decided: Detected = "more";
      for (let length = 1; length <= text.length; length++) {
        const now = detect(text.slice(0, length));
        if (decided !== "more") assert.equal(now, decided);
        decided = now;
      }
      assert.equal(decided, detect(text));
    }
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { countOption, durationOption, labelOption, portOption, portOrAutoOption, upstreamOption } from "./options.ts";

describe("option parsers", () => {
  it("take what they document", () => {
    assert.equal(durationOption("1m30s"), 90_000);
    assert.equal(portOption("65535"), 65_535);
    assert.equal(portOrAutoOption("auto"), "auto");
    assert.deepEqual(labelOption("version=v2", { tier: "web" }), { tier: "web", version: "v2" });
    assert.deepEqual(labelOption("note=a=b", {}), { note: "a=b" });
    assert.deepEqual(upstreamOption("Stock.shop:4000", [{ host: "chat", port: 0 }]), [
      { host: "chat", port: 0 },
      { host: "stock.shop", port: 4000 },
    ]);
    assert.deepEqual(upstreamOption("stock", []), [{ host: "stock", port: 0 }]);
    assert.equal(countOption("0"), 0);
  });

  it("refuse everything else with a sentence", () => {
    for (const text of ["0", "65536", "8.5", "-1", "http", ""]) assert.throws(() => portOption(text), /1 to 65535/);
    for (const text of ["10", "1d", ""]) assert.throws(() => durationOption(text), /not a duration/);
    for (const text of ["=v2", "version", ""]) assert.throws(() => labelOption(text, {}), /key=value/);
    for (const text of [":80", "a:b", "a b", "http://stock", "stock:0", "stock:99999"]) {
      assert.throws(() => upstreamOption(text, []), /HOST|65535/);
    }
    for (const text of ["-1", "x", "1.5"]) assert.throws(() => countOption(text), /whole number/);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { bundleFile, bundleFileSequence } from "./bootstrap.ts";

describe("the bundle file", () => {
  const pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

  it("says its number in the text before the first certificate", () => {
    assert.equal(bundleFileSequence(bundleFile(pem, 17)), 17);
    assert.ok(bundleFile(pem, 17).endsWith(pem));
  });

  it("is of number 0 when it says none, or one that is not sound", () => {
    assert.equal(bundleFileSequence(pem), 0);
    assert.equal(bundleFileSequence("Ripstop trust bundle 99999999999999999999\n"), 0);
    assert.equal(bundleFileSequence(`${pem.repeat(3)}Ripstop trust bundle 5\n`), 0);
  });
});

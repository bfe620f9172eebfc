// Trust bundles between PEM and DER.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { openAuthority } from "./authority/index.ts";
import { derToPem, pemToDer, sameRoots } from "./trust-bundle.ts";

describe("a trust bundle", () => {
  let directory: string;
  let pem: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "ripstop-bundle-"));
    const opened = await openAuthority({ directory, trustDomain: "test.mesh", clock: new StoppedClock() });
    assert.ok(opened.ok);
    pem = opened.value.bundle().pem;
    await opened.value.close();
  });
  after(() => rm(directory, { recursive: true }));

  it("survives the way from PEM to DER and back", () => {
    const der = pemToDer(`some text\n${pem}${pem}`);
    assert.ok(der.ok);
    assert.equal(der.value.length, 2);
    const again = pemToDer(derToPem(der.value));
    assert.ok(again.ok);
    assert.equal(sameRoots(again.value, der.value), true);
    assert.equal(sameRoots(again.value, der.value.slice(1)), false);
  });

  it("is refused when it is empty, malformed or too large", () => {
    assert.equal(pemToDer("").ok, false);
    assert.equal(pemToDer("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").ok, false);
    assert.equal(pemToDer(pem.repeat(65)).ok, false);
    assert.equal(pemToDer(" ".repeat(300_000) + pem).ok, false);
  });
});

// Hostile signing requests: each is refused with its own code, none throws.

import "reflect-metadata";

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import fc from "fast-check";

import { csrCases } from "@ripstop/testkit/hostile";
import { createKeyAndCsr } from "../csr/index.ts";
import { checkCsr } from "./csr-check.ts";

const ID = "spiffe://test.mesh/ns/shop/sa/web";

async function csr(): Promise<string> {
  return (await createKeyAndCsr(ID)).csrPem;
}

async function verdict(pem: string): Promise<string> {
  const checked = await checkCsr(pem, ID);
  return checked.ok ? "accepted" : checked.error.code;
}

describe("a signing request", () => {
  for (const { title, verdict: expected, make } of csrCases) {
    it(`with ${title}: ${expected}`, async () => assert.equal(await verdict(await make(ID)), expected));
  }

  it("made by createKeyAndCsr is accepted, also with Windows line ends", async () => {
    const { csrPem } = await createKeyAndCsr(ID);
    assert.equal(await verdict(csrPem), "accepted");
    assert.equal(await verdict(csrPem.replaceAll("\n", "\r\n")), "accepted");
  });

  it("whose signature does not fit is refused", async () => {
    const bytes = Buffer.from((await csr()).replaceAll(/-----[A-Z ]+-----/g, ""), "base64");
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    assert.equal(await verdict(pemOf(bytes)), "RS2003");
  });

  it("that is no request is refused", async () => {
    const good = await csr();
    assert.equal(await verdict(""), "RS2001");
    assert.equal(await verdict(good + good), "RS2001");
    assert.equal(await verdict(good.replaceAll("CERTIFICATE REQUEST", "CERTIFICATE")), "RS2001");
    assert.equal(await verdict(pemOf(Buffer.from("not DER"))), "RS2001");
    assert.equal(await verdict(pemOf(Buffer.alloc(2000, 0x30))), "RS2001");
    assert.equal(await verdict(`${"\n".repeat(17_000)}${good}`), "RS2002");
  });

  it("cut off or with any byte changed never makes the check throw, and never changes the key it vouches for", async () => {
    const good = Buffer.from((await csr()).replaceAll(/-----[A-Z ]+-----/g, ""), "base64");
    const clean = await checkCsr(pemOf(good), ID);
    assert.ok(clean.ok);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, flip, cut) => {
          const bytes = Buffer.from(cut ? good.subarray(0, at) : good);
          if (!cut) bytes[at] = (bytes[at] ?? 0) ^ flip;
          const checked = await checkCsr(pemOf(bytes), ID);
          if (checked.ok) assert.deepEqual(Buffer.from(checked.value), Buffer.from(clean.value));
        },
      ),
      { numRuns: 300 },
    );
  });
});

function pemOf(bytes: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
}

import { X509Certificate } from "node:crypto";
import { TestAuthority } from "@ripstop/testkit";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PeerLeaves, peerOf } from "./peer-leaves.ts";

/** A DER element with a long length when it needs one. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  const length = bytes.length < 0x80 ? [bytes.length] : [0x82, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
}

/** A session as OpenSSL writes it, with or without the peer's certificate. */
function session(leaf?: Buffer): Buffer {
  const before = [der(0x02, Buffer.from([1])), der(0x04, Buffer.alloc(48)), der(0xa1, der(0x02, Buffer.from([9])))];
  const after = der(0xa4, der(0x04, Buffer.from("ripstop-mesh")));
  return der(0x30, ...before, ...(leaf ? [der(0xa3, leaf)] : []), after);
}

describe("certificates of peers", () => {
  it("are found in the session, and made once for the same bytes", async () => {
    const authority = await TestAuthority.create();
    const [one, two] = await Promise.all(
      ["web", "orders"].map(
        async (name) => new X509Certificate((await authority.issue(authority.idOf(name))).chainPem),
      ),
    );
    assert.ok(one && two);
    const leaves = new PeerLeaves();
    const first = leaves.ofSession(session(one.raw));
    assert.deepEqual(first?.raw, one.raw);
    assert.equal(leaves.ofSession(session(Buffer.from(one.raw))), first);
    assert.deepEqual(leaves.ofSession(session(two.raw))?.raw, two.raw);
  });

  it("are not found where there are none, or where the session is cut or is none", () => {
    const whole = session(Buffer.alloc(300, 1));
    assert.equal(peerOf(whole)?.length, 300);
    assert.equal(peerOf(session()), undefined);
    for (let length = 0; length < whole.length; length++) assert.equal(peerOf(whole.subarray(0, length)), undefined);
    assert.equal(peerOf(Buffer.alloc(64, 0xff)), undefined);
  });

  it("must be certificates", () => {
    assert.throws(() => new PeerLeaves().ofSession(session(Buffer.from("no certificate"))));
  });
});

// Which ciphers and groups proxies offer, and that they really do.

import { PatientClock, TestAuthority } from "@ripstop/testkit";
import assert from "node:assert/strict";
import { createServer, type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { keyExchangeGroups, tls13Ciphers } from "./crypto-preferences.ts";
import { IdentityTable } from "./identity-table.ts";
import { TlsDialer } from "./tls-client.ts";

const AES_FIRST = /^TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20/;
const CHACHA_FIRST = /^TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM/;

describe("the ciphers of proxies", () => {
  it("begin with AES-GCM where the processor has it", () => {
    assert.match(tls13Ciphers({ cpuinfo: "processor: 0\nflags\t\t: fpu sse2 aes avx\n", arch: "x64" }), AES_FIRST);
    assert.match(tls13Ciphers({ cpuinfo: "Features\t: fp asimd aes pmull sha2\n", arch: "arm64" }), AES_FIRST);
  });

  it("begin with ChaCha20 where it has not", () => {
    assert.match(tls13Ciphers({ cpuinfo: "flags\t\t: fpu sse2 vaesx\n", arch: "x64" }), CHACHA_FIRST);
    assert.match(tls13Ciphers({ cpuinfo: "Features\t: half thumb fastmult vfp\n", arch: "arm" }), CHACHA_FIRST);
    assert.match(tls13Ciphers({ cpuinfo: undefined, arch: "arm" }), CHACHA_FIRST);
  });

  it("go by the architecture where the processor does not say", () => {
    assert.match(tls13Ciphers({ cpuinfo: undefined, arch: "arm64" }), AES_FIRST);
    assert.match(tls13Ciphers({ cpuinfo: "model name: x", arch: "x64" }), AES_FIRST);
  });
});

describe("the key exchange of proxies", () => {
  it("begins with the hybrid from OpenSSL 3.5 on", () => {
    assert.match(keyExchangeGroups("3.5.0") ?? "", /^X25519MLKEM768:X25519:/);
    assert.match(keyExchangeGroups("4.0.1+quic") ?? "", /^X25519MLKEM768:/);
    assert.equal(keyExchangeGroups("3.0.19"), undefined);
    assert.equal(keyExchangeGroups("0"), undefined);
  });

  it("offers X25519MLKEM768 first in the first bytes, exactly when the runtime has it", async () => {
    const authority = await TestAuthority.create();
    const identities = new IdentityTable();
    identities.setBundles(new Map([["test.mesh", authority.bundlePem]]));
    identities.setIdentity("shop/web-1", await authority.issue(authority.idOf("web")));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const hello = new Promise<Buffer>((resolve) => {
      server.once("connection", (socket) => {
        socket.on("error", () => undefined);
        socket.once("data", (bytes) => {
          resolve(bytes);
          socket.destroy();
        });
      });
    });
    const observer = { accepted: () => undefined, refused: () => undefined };
    const verifyPeer = (): { ok: false; reason: string; message: string } => ({ ok: false, reason: "x", message: "x" });
    await new Promise<void>((resolve) => {
      new TlsDialer({ identities, verifyPeer, observer, clock: new PatientClock() }).dial(
        {
          host: "127.0.0.1",
          port: (server.address() as AddressInfo).port,
          workloadId: "shop/web-1",
          serverName: "80.a.b.mesh",
          expectedPeerId: authority.idOf("a"),
          trustDomain: "test.mesh",
          timeoutMs: 60_000,
        },
        { onConnected: () => resolve(), onFailed: () => resolve() },
      );
    });
    const groups = supportedGroups(await hello);
    const [major = 0, minor = 0] = (process.versions.openssl ?? "0").split(".").map(Number);
    const hybrid = major > 3 || (major === 3 && minor >= 5);
    assert.equal(groups[0] === 0x11ec, hybrid, groups.join());
    assert.ok(groups.includes(0x1d));
    server.close();
  });
});

/** The groups in a ClientHello (RFC 8446 section 4.2.7). */
function supportedGroups(record: Buffer): readonly number[] {
  let at = 5 + 4 + 2 + 32;
  at += 1 + (record[at] ?? 0);
  at += 2 + record.readUInt16BE(at);
  at += 1 + (record[at] ?? 0);
  at += 2;
  while (at + 4 <= record.length) {
    const type = record.readUInt16BE(at);
    const length = record.readUInt16BE(at + 2);
    if (type === 10) {
      return Array.from({ length: (length - 2) / 2 }, (_, index) => record.readUInt16BE(at + 6 + 2 * index));
    }
    at += 4 + length;
  }
  return [];
}

// Every row of the table of hostile certificates, in a real handshake with the listener and the dialler of the proxy.

import { systemClock } from "@ripstop/core";
import {
  IdentityTable,
  listenTls,
  meshServerName,
  TlsDialer,
  withCaller,
  type Listener,
  type TlsObserver,
  type TlsRefusal,
} from "@ripstop/net";
import { PatientClock } from "@ripstop/testkit";
import {
  certificateCases,
  ecKey,
  makeCa,
  makeCertificate,
  peerId,
  rawTls,
  verdictsOf,
  type CertificateCase,
  type HostileWorld,
  type LabCa,
  type Presented,
} from "@ripstop/testkit/hostile";
import assert from "node:assert/strict";
import { createServer, type Server } from "node:tls";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { createPeerVerification } from "./peer-verification.ts";
import { derToPem } from "./trust-bundle.ts";

const WORKLOAD = "shop/catalog-1";
const SERVER_NAME = meshServerName(WORKLOAD, 8080) ?? "";
const TRUST_DOMAIN = "test.mesh";
const patient = new PatientClock();
const verifyPeer = createPeerVerification(systemClock);

/** The outcome of one handshake on our side. */
class Outcome implements TlsObserver {
  #resolve: (outcome: TlsRefusal | "accepted") => void = () => undefined;

  next(): Promise<TlsRefusal | "accepted"> {
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  accepted(): void {
    this.#resolve("accepted");
  }

  refused(refusal: TlsRefusal): void {
    this.#resolve(refusal);
  }
}

function pem(ca: LabCa): string {
  return derToPem([ca.der]);
}

function keyPem({ key }: Presented): string {
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}

/** A side of the mesh with an identity of the own domain. */
function side(world: HostileWorld): IdentityTable {
  const table = new IdentityTable();
  const bundles = new Map([[TRUST_DOMAIN, pem(world.root)]]);
  if (world.federated) bundles.set(world.federated.trustDomain, pem(world.federated.root));
  assert.ok(table.setBundles(bundles).ok);
  const { der, key } = makeCertificate(`spiffe://${TRUST_DOMAIN}/ns/shop/sa/catalog`, { issuer: world.intermediate });
  const chainPem = derToPem([der, world.intermediate.der]);
  assert.ok(table.setIdentity(WORKLOAD, { chainPem, keyPem: keyPem({ chain: [], key }) }).ok);
  return table;
}

/** A server with OpenSSL's checks of its own certificate turned off; undefined when it cannot load it all the same. */
function serve(presented: Presented): Server | undefined {
  try {
    const server = createServer({
      cert: derToPem(presented.chain),
      key: keyPem(presented),
      minVersion: "TLSv1.3",
      ciphers: "DEFAULT@SECLEVEL=0:TLS_AES_128_GCM_SHA256",
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    server.on("tlsClientError", () => undefined);
    server.on("secureConnection", (socket) => socket.on("error", () => undefined));
    return server;
  } catch {
    return undefined;
  }
}

function check(row: CertificateCase, outcome: TlsRefusal | "accepted", verdict: string): void {
  if (outcome === "accepted") {
    assert.equal("accepted", verdict);
    return;
  }
  assert.ok(verdictsOf({ verdict }).includes(outcome.reason), `${outcome.reason}: ${outcome.message}`);
  assert.ok(outcome.message.length > 10 && /^[\x20-\x7e]+$/.test(outcome.message), `says nothing: ${outcome.message}`);
  if (row.says) assert.match(outcome.message, row.says);
}

describe("a hostile certificate", () => {
  const root = makeCa(TRUST_DOMAIN, { pathLength: 1 });
  const other = makeCa("other.mesh", { pathLength: 1 });
  const world: HostileWorld = {
    trustDomain: TRUST_DOMAIN,
    root,
    intermediate: makeCa(TRUST_DOMAIN, { parent: root, pathLength: 0 }),
    federated: {
      trustDomain: "other.mesh",
      root: other,
      intermediate: makeCa("other.mesh", { parent: other, pathLength: 0, subject: "CN=Intermediate of other.mesh" }),
    },
  };
  const outcome = new Outcome();
  let listener: Listener;
  let dialer: TlsDialer;
  const servers: Server[] = [];

  before(async () => {
    const opened = await listenTls({
      identities: side(world),
      verifyPeer,
      observer: outcome,
      clock: patient,
      onConn(conn) {
        conn.handler = { onBytes() {}, onEnd() {}, onDrain() {}, onClose() {} };
        conn.write(Buffer.from("hello"), 0, 5);
      },
    });
    assert.ok(opened.ok);
    listener = opened.value;
    dialer = new TlsDialer({ identities: side(world), verifyPeer, observer: outcome, clock: patient });
  });
  after(() => {
    listener.close();
    for (const server of servers) server.close();
  });

  it("is one of at least 60", () => {
    assert.ok(certificateCases.length >= 60);
    assert.equal(new Set(certificateCases.map(({ title }) => title)).size, certificateCases.length);
  });

  for (const row of certificateCases) {
    it(`of a caller: ${row.title}: ${row.verdict}`, async () => {
      const presented = row.make(world);
      const heard = outcome.next();
      const fate = rawTls({
        ...presented,
        host: "127.0.0.1",
        port: listener.port,
        serverName:
          row.claims === undefined
            ? SERVER_NAME
            : withCaller(SERVER_NAME, row.claims === "own" ? TRUST_DOMAIN : "other.mesh"),
        alpn: "h2",
        ...(row.stolen === true ? { signWith: ecKey() } : {}),
      });
      check(row, await heard, row.verdict);
      assert.equal((await fate) === "open", row.verdict === "accepted");
    });
  }

  // A chain of two peers' names: the caller expects exactly one of them.
  const served = certificateCases.filter(({ stolen, title }) => stolen !== true && title !== "no certificate");
  for (const row of served) {
    it(`of a server: ${row.title}: ${row.verdict === "accepted" ? "accepted" : "refused"}`, async () => {
      const presented = row.make(world);
      const trustDomain = row.needsFederation === true && row.verdict === "accepted" ? "other.mesh" : TRUST_DOMAIN;
      const server = serve(presented);
      if (!server) {
        // What OpenSSL does not even load, nobody serves with it; the caller's side above has no such help.
        assert.notEqual(row.verdict, "accepted");
        return;
      }
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const heard = outcome.next();
      const dialled = new Promise<string>((resolve) => {
        dialer.dial(
          {
            host: "127.0.0.1",
            port: (server.address() as AddressInfo).port,
            workloadId: WORKLOAD,
            serverName: SERVER_NAME,
            expectedPeerId: peerId(trustDomain),
            trustDomain,
            timeoutMs: 60_000,
          },
          {
            onConnected(conn) {
              conn.handler = { onBytes() {}, onEnd() {}, onDrain() {}, onClose() {} };
              conn.destroy();
              resolve("connected");
            },
            onFailed: (cause) => resolve(cause.message),
          },
        );
      });
      const found = await heard;
      if (row.verdict === "accepted") {
        assert.equal(found, "accepted");
        assert.equal(await dialled, "connected");
        return;
      }
      assert.ok(found !== "accepted", "it was accepted");
      assert.notEqual(found.reason, "");
      assert.equal(await dialled, found.message);
    });
  }

  it("of a server that is somebody else, however good: unexpected_peer", async () => {
    const id = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/Web`;
    const { der, key } = makeCertificate(id, { issuer: world.intermediate });
    const server = serve({ chain: [der, world.intermediate.der], key });
    assert.ok(server);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const heard = outcome.next();
    dialer.dial(
      {
        host: "127.0.0.1",
        port: (server.address() as AddressInfo).port,
        workloadId: WORKLOAD,
        serverName: SERVER_NAME,
        expectedPeerId: peerId(TRUST_DOMAIN),
        trustDomain: TRUST_DOMAIN,
        timeoutMs: 60_000,
      },
      { onConnected: (conn) => conn.destroy(), onFailed: () => undefined },
    );
    const found = await heard;
    assert.ok(found !== "accepted");
    assert.equal(found.reason, "unexpected_peer");
    assert.ok(found.message.includes(id));
  });
});

import type { X509Certificate } from "node:crypto";
import { createServer as createTlsServer, connect as tlsConnect, type ConnectionOptions } from "node:tls";
import { connect as netConnect } from "node:net";
import { systemClock } from "@ripstop/core";
import { PatientClock, StoppedClock, TestAuthority, type TestLeafOptions } from "@ripstop/testkit";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CloseCause, Conn } from "../conn.ts";
import { connSuite, Recorder, type ConnHarness } from "../conn.suite.ts";
import type { Listener } from "../listen.ts";
import type { TierName } from "../tiers/tier.ts";
import { HANDSHAKE_PATIENCE_MS } from "./handshake-room.ts";
import { IdentityTable } from "./identity-table.ts";
import { meshServerName } from "./mesh-server-name.ts";
import type { PeerVerdict } from "./peer-verdict.ts";
import { RevocationList } from "./revocation-list.ts";
import { RawTlsConn } from "./raw-tls-conn.ts";
import { TlsDialer } from "./tls-client.ts";
import type { TlsObserver, TlsRefusal } from "./tls-observer.ts";
import { listenTls, type ListenTlsOptions } from "./tls-server.ts";

/** Accepts any one URI SAN; the real rules are tested where they live. */
function verifyPeer(leaf: X509Certificate): PeerVerdict {
  const id = /^URI:(spiffe:\/\/([^/]+)\/\S+)$/.exec(leaf.subjectAltName ?? "");
  return id?.[1] !== undefined && id[2] !== undefined
    ? { ok: true, id: id[1], trustDomain: id[2] }
    : { ok: false, reason: "san", message: "no single URI SAN" };
}

const patient = new PatientClock();

class Outcomes implements TlsObserver {
  readonly refusals: TlsRefusal[] = [];
  readonly accepts: string[] = [];
  readonly #waiting = new Set<() => void>();

  accepted(side: "client" | "server", resumed: boolean): void {
    this.accepts.push(`${side} ${resumed ? "resumed" : "full"}`);
    this.poke();
  }

  refused(refusal: TlsRefusal): void {
    this.refusals.push(refusal);
    this.poke();
  }

  poke(): void {
    for (const check of this.#waiting) check();
  }

  reasons(side: "client" | "server"): string[] {
    return this.refusals.filter((refusal) => refusal.side === side).map((refusal) => refusal.reason);
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (condition()) resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}

const SERVER = "shop/catalog-1";
const CLIENT = "shop/web-1";
const SERVER_NAME = meshServerName(SERVER, 8080) ?? "";

/** A proxy's side of the mesh: one workload, one table. */
async function side(
  authority: TestAuthority,
  workloadId: string,
  account: string,
  options?: TestLeafOptions,
): Promise<IdentityTable> {
  const table = new IdentityTable();
  const { chainPem, keyPem } = await authority.issue(authority.idOf(account), options);
  assert.ok(table.setBundles(new Map([[authority.trustDomain, authority.bundlePem]])).ok);
  assert.ok(table.setIdentity(workloadId, { chainPem, keyPem }).ok);
  return table;
}

function revoked(spiffeId: string): RevocationList {
  return new RevocationList([{ spiffeId, serialNumber: "", reason: "lost" }]);
}

interface World {
  readonly authority: TestAuthority;
  readonly serverTable: IdentityTable;
  readonly clientTable: IdentityTable;
  readonly outcomes: Outcomes;
  readonly accepted: { readonly conn: Conn; readonly recorder: Recorder }[];
  readonly listener: Listener;
  readonly dialer: TlsDialer;
  dial(
    overrides?: Partial<{ serverName: string; expectedPeerId: string; alpn: string }>,
  ): Promise<{ conn: Conn; recorder: Recorder } | CloseCause>;
}

const OPEN: Listener[] = [];

async function makeWorld(
  options: Partial<ListenTlsOptions> & { clientAuthority?: TestAuthority; clientLeaf?: TestLeafOptions } = {},
): Promise<World> {
  const { clientAuthority, clientLeaf, ...listenOptions } = options;
  const authority = await TestAuthority.create();
  const serverTable = await side(authority, SERVER, "catalog");
  const clientTable = await side(clientAuthority ?? authority, CLIENT, "web", clientLeaf);
  if (clientAuthority) clientTable.setBundles(new Map([[authority.trustDomain, authority.bundlePem]]));
  const outcomes = new Outcomes();
  const accepted: World["accepted"] = [];
  const opened = await listenTls({
    identities: serverTable,
    verifyPeer,
    observer: outcomes,
    clock: patient,
    onConn(conn) {
      const recorder = new Recorder();
      conn.handler = recorder;
      accepted.push({ conn, recorder });
      outcomes.poke();
    },
    ...listenOptions,
  });
  assert.ok(opened.ok);
  OPEN.push(opened.value);
  const dialer = new TlsDialer({
    identities: clientTable,
    verifyPeer,
    observer: outcomes,
    clock: patient,
    ...(options.tierName === undefined ? {} : { tierName: options.tierName }),
  });
  return {
    authority,
    serverTable,
    clientTable,
    outcomes,
    accepted,
    listener: opened.value,
    dialer,
    dial: (overrides = {}) =>
      new Promise((resolve) =>
        dialer.dial(
          {
            host: "127.0.0.1",
            port: opened.value.port,
            workloadId: CLIENT,
            serverName: SERVER_NAME,
            expectedPeerId: authority.idOf("catalog"),
            trustDomain: authority.trustDomain,
            timeoutMs: 60_000,
            ...overrides,
          },
          {
            onConnected(conn) {
              const recorder = new Recorder();
              conn.handler = recorder;
              resolve({ conn, recorder });
            },
            onFailed: resolve,
          },
        ),
      ),
  };
}

async function harness(tierName: TierName): Promise<ConnHarness> {
  const authority = await TestAuthority.create();
  const observer = new Outcomes();
  const accepted: ((conn: Conn) => void)[] = [];
  const opened = await listenTls({
    identities: await side(authority, SERVER, "catalog"),
    verifyPeer,
    observer,
    clock: patient,
    tierName,
    onConn: (conn) => accepted.shift()?.(conn),
  });
  assert.ok(opened.ok);
  const listener = opened.value;
  const dialer = new TlsDialer({
    identities: await side(authority, CLIENT, "web"),
    verifyPeer,
    observer,
    clock: patient,
    tierName,
  });
  let turn: Promise<unknown> = Promise.resolve();
  const connectOne: ConnHarness["connect"] = async (clientHandler, serverHandler) => {
    const server = new Promise<Conn>((resolve) =>
      accepted.push((conn) => {
        conn.handler = serverHandler;
        resolve(conn);
      }),
    );
    const client = await new Promise<Conn>((resolve, reject) => {
      dialer.dial(
        {
          host: "127.0.0.1",
          port: listener.port,
          workloadId: CLIENT,
          serverName: SERVER_NAME,
          expectedPeerId: authority.idOf("catalog"),
          trustDomain: authority.trustDomain,
          timeoutMs: 60_000,
        },
        {
          onConnected(conn) {
            conn.handler = clientHandler;
            resolve(conn);
          },
          onFailed: (cause) => reject(new Error(cause.message)),
        },
      );
    });
    const pair = { client, server: await server };
    for (const conn of [pair.client, pair.server]) assert.equal(conn instanceof RawTlsConn, tierName === "raw");
    return pair;
  };
  return {
    live: () => listener.connections,
    close: () => listener.close(),
    // Handshakes end in any order; one at a time keeps the two ends of a pair together.
    connect(clientHandler, serverHandler) {
      const next = turn.then(() => connectOne(clientHandler, serverHandler));
      turn = next;
      return next;
    },
  };
}

for (const name of ["raw", "public"] as const) connSuite(`a mutual TLS (${name})`, () => harness(name), { tls: true });

function connected(outcome: { conn: Conn; recorder: Recorder } | CloseCause): { conn: Conn; recorder: Recorder } {
  assert.ok("conn" in outcome, "code" in outcome ? outcome.message : "");
  return outcome;
}

function failed(outcome: { conn: Conn; recorder: Recorder } | CloseCause): CloseCause {
  assert.ok("code" in outcome, "connected");
  return outcome;
}

for (const tierName of ["raw", "public"] as const)
  describe(`mutual TLS (${tierName})`, () => {
    const world: typeof makeWorld = (options) => makeWorld({ tierName, ...options });

    const test = (title: string, run: () => Promise<void>): void => {
      it(title, async () => {
        try {
          await run();
        } finally {
          for (const listener of OPEN.splice(0)) listener.close();
        }
      });
    };

    /** A client of node:tls with anything wrong; resolves when it is closed, with the bytes that it got. */
    const raw = (w: World, options: ConnectionOptions): Promise<string> =>
      new Promise((resolve) => {
        let got = "";
        const socket = tlsConnect({
          host: "127.0.0.1",
          port: w.listener.port,
          rejectUnauthorized: false,
          ALPNProtocols: ["h2"],
          ...options,
        });
        socket.on("error", () => undefined);
        socket.on("data", (chunk) => (got += chunk.toString()));
        socket.on("close", () => resolve(got));
        socket.write("GET / HTTP/1.1\r\n\r\n");
      });

    test("tells both sides who the other is, with TLS 1.3", async () => {
      const w = await world();
      const { conn } = connected(await w.dial());
      await w.outcomes.until(() => w.accepted.length === 1);
      assert.equal(conn.tls?.peerId, "spiffe://test.mesh/ns/shop/sa/catalog");
      assert.equal(conn.tls?.version, "TLSv1.3");
      assert.equal(w.accepted[0]?.conn.tls?.peerId, "spiffe://test.mesh/ns/shop/sa/web");
      assert.equal(w.accepted[0]?.conn.tls?.serverName, "8080.catalog-1.shop.mesh");
      assert.equal(w.accepted[0]?.conn.tls?.alpn, "h2");
      conn.destroy();
    });

    test("refuses a client without a certificate", async () => {
      const w = await world();
      assert.equal(await raw(w, { servername: SERVER_NAME }), "");
      assert.deepEqual(w.outcomes.reasons("server"), ["no_certificate"]);
      assert.equal(w.accepted.length, 0);
    });

    test("refuses a client of another authority, of the same trust domain name", async () => {
      const w = await world({ clientAuthority: await TestAuthority.create() });
      const outcome = await w.dial();
      if ("conn" in outcome)
        await outcome.recorder.until(() => outcome.recorder.closes.length > 0 || outcome.recorder.ends > 0);
      await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
      assert.deepEqual(w.outcomes.reasons("server"), ["untrusted_chain"]);
      assert.equal(w.accepted.length, 0);
      if ("conn" in outcome) outcome.conn.destroy();
    });

    test("refuses a client whose certificate has expired", async () => {
      const hour = 3_600_000;
      const w = await world({
        clientLeaf: { notBeforeMs: systemClock.nowMs() - 2 * hour, notAfterMs: systemClock.nowMs() - hour },
      });
      const outcome = await w.dial();
      await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
      assert.deepEqual(w.outcomes.reasons("server"), ["expired"]);
      assert.equal(w.accepted.length, 0);
      if ("conn" in outcome) outcome.conn.destroy();
    });

    test("refuses what the injected verification refuses, even when it throws", async () => {
      for (const verdict of [
        (): PeerVerdict => ({ ok: false, reason: "san", message: "no" }),
        (): PeerVerdict => {
          throw new Error("bug");
        },
      ]) {
        const w = await world({ verifyPeer: verdict });
        const outcome = await w.dial();
        await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
        assert.match(w.outcomes.reasons("server")[0] ?? "", /^(san|malformed_certificate)$/);
        assert.equal(w.accepted.length, 0);
        if ("conn" in outcome) outcome.conn.destroy();
      }
    });

    test("refuses a server that is not exactly the expected one", async () => {
      const w = await world();
      const cause = failed(await w.dial({ expectedPeerId: w.authority.idOf("orders") }));
      assert.equal(cause.code, "RIPSTOP_TLS_UNEXPECTED_PEER");
      assert.equal(
        cause.message,
        "expected spiffe://test.mesh/ns/shop/sa/orders, found spiffe://test.mesh/ns/shop/sa/catalog",
      );
    });

    test("checks the expected server on a resumed session as well", async () => {
      const w = await world();
      const first = connected(await w.dial());
      await w.outcomes.until(() => w.accepted.length === 1);
      w.accepted[0]?.conn.write(Buffer.from("x"), 0, 1);
      await first.recorder.until(() => first.recorder.bytes === 1);
      await new Promise((resolve) => setImmediate(resolve)); // node:tls hands out the ticket after the bytes
      first.conn.destroy();
      const second = connected(await w.dial());
      assert.equal(second.conn.tls?.resumed, true);
      await w.outcomes.until(() => w.accepted.length === 2);
      assert.equal(w.accepted[1]?.conn.tls?.resumed, true);
      assert.equal(w.accepted[1]?.conn.tls?.peerId, "spiffe://test.mesh/ns/shop/sa/web");
      second.conn.destroy();
      assert.equal(
        failed(await w.dial({ expectedPeerId: w.authority.idOf("web") })).code,
        "RIPSTOP_TLS_UNEXPECTED_PEER",
      );
    });

    test("resumes no session from before a change of certificate or bundle, and keeps live connections", async () => {
      const w = await world();
      const first = connected(await w.dial());
      await w.outcomes.until(() => w.accepted.length === 1);
      w.accepted[0]?.conn.write(Buffer.from("x"), 0, 1);
      await first.recorder.until(() => first.recorder.bytes === 1);
      await new Promise((resolve) => setImmediate(resolve));
      const renewed = await w.authority.issue(w.authority.idOf("catalog"));
      assert.ok(w.serverTable.setIdentity(SERVER, renewed).ok);
      const second = connected(await w.dial());
      assert.equal(second.conn.tls?.resumed, false);
      first.conn.write(Buffer.from("still here"), 0, 10);
      const [server] = w.accepted;
      await server?.recorder.until(() => server.recorder.bytes === 10);
      first.conn.destroy();
      second.conn.destroy();
    });

    test("presents the new certificate to new connections after a swap", async () => {
      const w = await world();
      const moved = await w.authority.issue(w.authority.idOf("catalog-v2"));
      assert.ok(w.serverTable.setIdentity(SERVER, moved).ok);
      const { conn } = connected(await w.dial({ expectedPeerId: w.authority.idOf("catalog-v2") }));
      conn.destroy();
    });

    test("stops accepting peers whose root was taken out of the bundle", async () => {
      const w = await world();
      const other = await TestAuthority.create();
      assert.ok(w.serverTable.setBundles(new Map([["test.mesh", other.bundlePem]])).ok);
      const outcome = await w.dial();
      await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
      assert.deepEqual(w.outcomes.reasons("server"), ["untrusted_chain"]);
      if ("conn" in outcome) outcome.conn.destroy();
    });

    test("refuses an id of one trust domain that a root of another one signed", async () => {
      const w = await world();
      const foreign = await TestAuthority.create("other.mesh");
      w.serverTable.setBundles(
        new Map([
          ["test.mesh", w.authority.bundlePem],
          ["other.mesh", foreign.bundlePem],
        ]),
      );
      const lie = await foreign.issue("spiffe://test.mesh/ns/shop/sa/web");
      const truth = await foreign.issue("spiffe://other.mesh/ns/shop/sa/web");
      w.clientTable.setIdentity(CLIENT, lie);
      const refused = await w.dial();
      await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
      assert.deepEqual(w.outcomes.reasons("server"), ["wrong_trust_domain"]);
      w.clientTable.setIdentity(CLIENT, truth);
      const accepted = connected(await w.dial());
      await w.outcomes.until(() => w.accepted.length === 1);
      assert.equal(w.accepted[0]?.conn.tls?.peerId, "spiffe://other.mesh/ns/shop/sa/web");
      accepted.conn.destroy();
      if ("conn" in refused) refused.conn.destroy();
    });

    test("follows intermediates of its own domain while there are several", async () => {
      const w = await world();
      const foreign = await TestAuthority.create("other.mesh");
      const below = await w.authority.intermediate();
      w.serverTable.setBundles(
        new Map([
          ["test.mesh", w.authority.bundlePem],
          ["other.mesh", foreign.bundlePem],
        ]),
      );
      w.serverTable.setIdentity(SERVER, await below.issue(w.authority.idOf("catalog")));
      w.clientTable.setIdentity(CLIENT, await below.issue(w.authority.idOf("web")));
      for (let round = 1; round <= 2; round++) {
        const { conn, recorder } = connected(await w.dial());
        await w.outcomes.until(() => w.accepted.length === round);
        assert.equal(w.accepted[round - 1]?.conn.tls?.peerId, "spiffe://test.mesh/ns/shop/sa/web");
        w.accepted[round - 1]?.conn.write(Buffer.from("x"), 0, 1);
        await recorder.until(() => recorder.bytes === 1);
        await new Promise((resolve) => setImmediate(resolve));
        conn.destroy();
      }
      assert.ok(w.outcomes.accepts.includes("server resumed"));
    });

    test("accepts a federated peer that was issued by an intermediate of its own domain, resumed as well", async () => {
      const w = await world();
      const foreign = await TestAuthority.create("other.mesh");
      w.serverTable.setBundles(
        new Map([
          ["test.mesh", w.authority.bundlePem],
          ["other.mesh", foreign.bundlePem],
        ]),
      );
      w.clientTable.setIdentity(
        CLIENT,
        await (await foreign.intermediate()).issue("spiffe://other.mesh/ns/shop/sa/web"),
      );
      for (const resumed of [false, true]) {
        const { conn, recorder } = connected(await w.dial());
        const count = resumed ? 2 : 1;
        await w.outcomes.until(() => w.accepted.length === count);
        w.accepted.at(-1)?.conn.write(Buffer.from("x"), 0, 1);
        await recorder.until(() => recorder.bytes === 1);
        await new Promise((resolve) => setImmediate(resolve));
        assert.equal(w.accepted.at(-1)?.conn.tls?.peerId, "spiffe://other.mesh/ns/shop/sa/web");
        assert.equal(w.accepted.at(-1)?.conn.tls?.resumed, resumed);
        conn.destroy();
      }
    });

    test("refuses a caller that says it is of a trust domain without bundle", async () => {
      const w = await world();
      const foreign = await TestAuthority.create("other.mesh");
      w.clientTable.setIdentity(CLIENT, await foreign.issue("spiffe://other.mesh/ns/shop/sa/web"));
      failed(await w.dial());
      await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
      assert.deepEqual(w.outcomes.reasons("server"), ["unknown_trust_domain"]);
    });

    test("refuses server names that are unknown, missing, in capitals or not of the mesh", async () => {
      const w = await world();
      const svid = await w.authority.issue(w.authority.idOf("web"));
      const names = [
        "8080.orders-1.shop.mesh",
        "8080.Catalog-1.shop.mesh",
        "catalog-1.shop.mesh",
        "localhost",
        undefined,
      ];
      for (const servername of names) {
        assert.equal(
          await raw(w, { cert: svid.chainPem, key: svid.keyPem, ...(servername === undefined ? {} : { servername }) }),
          "",
        );
      }
      assert.equal(w.accepted.length, 0);
      assert.deepEqual([...new Set(w.outcomes.reasons("server"))].toSorted(), [
        "no_server_name",
        "unknown_server_name",
      ]);
      assert.equal(w.outcomes.refusals.length, names.length);
    });

    test("speaks neither TLS 1.2 nor another protocol than the mesh's", async () => {
      const w = await world();
      const svid = await w.authority.issue(w.authority.idOf("web"));
      const good = { servername: SERVER_NAME, cert: svid.chainPem, key: svid.keyPem };
      assert.equal(await raw(w, { ...good, maxVersion: "TLSv1.2" }), "");
      assert.equal(await raw(w, { ...good, ALPNProtocols: ["http/1.1"] }), "");
      assert.equal(await raw(w, { ...good, ALPNProtocols: [] }), "");
      assert.equal(await raw(w, { ...good, ALPNProtocols: ["h2c"] }), "");
      assert.deepEqual(w.outcomes.reasons("server"), ["protocol_version", "alpn", "alpn", "alpn"]);
      assert.equal(w.accepted.length, 0);
    });

    test("survives bytes that are no TLS, and says so", async () => {
      const w = await world();
      for (const bytes of [
        "GET / HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\xff\xff",
        "\0".repeat(64),
        "PRI * HTTP/2.0\r\n\r\n",
      ]) {
        await new Promise<void>((resolve) => {
          const socket = netConnect({ port: w.listener.port, host: "127.0.0.1" }, () => socket.end(bytes));
          socket.on("error", () => undefined);
          socket.on("close", () => resolve());
          socket.resume();
        });
      }
      await w.outcomes.until(() => w.outcomes.refusals.length === 4);
      connected(await w.dial()).conn.destroy();
    });

    test("ends a connection into which somebody else's bytes come after the handshake", async () => {
      const w = await world();
      const svid = await w.authority.issue(w.authority.idOf("web"));
      const below = netConnect({ port: w.listener.port, host: "127.0.0.1" });
      const client = tlsConnect({
        socket: below,
        servername: SERVER_NAME,
        cert: svid.chainPem,
        key: svid.keyPem,
        rejectUnauthorized: false,
        ALPNProtocols: ["h2"],
      });
      for (const socket of [below, client]) socket.on("error", () => undefined);
      await w.outcomes.until(() => w.accepted.length === 1);
      below.write("these bytes are no TLS record");
      const [server] = w.accepted;
      assert.ok(server);
      await server.recorder.until(() => server.recorder.closes.length === 1);
      assert.notEqual(server.recorder.closes[0]?.code, "");
      assert.equal(server.recorder.bytes, 0);
      assert.equal(w.listener.connections, 0);
      client.destroy();
    });

    test("closes a silent peer after the handshake time-out, and counts it", async () => {
      const clock = new StoppedClock();
      const w = await world({ clock, handshakeTimeoutMs: 10_000 });
      const socket = netConnect({ port: w.listener.port, host: "127.0.0.1" });
      const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
      socket.resume();
      socket.on("error", () => undefined);
      while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
      clock.advance(10_001);
      await closed;
      assert.deepEqual(w.outcomes.reasons("server"), ["timeout"]);
      assert.equal(clock.pending, 0);
    });

    test("bounds the handshakes under way", async () => {
      const w = await world({ maxHandshakes: 2 });
      const sockets = Array.from({ length: 5 }, () => netConnect({ port: w.listener.port, host: "127.0.0.1" }));
      for (const socket of sockets) socket.on("error", () => undefined).resume();
      await w.outcomes.until(() => w.outcomes.refusals.length === 3);
      assert.deepEqual([...new Set(w.outcomes.reasons("server"))], ["too_many_handshakes"]);
      for (const socket of sockets) socket.destroy();
    });

    test("gives the place of the slowest handshake to a newcomer when too many are under way", async () => {
      const clock = new StoppedClock();
      const w = await world({ clock, maxHandshakes: 1 });
      const slow = netConnect({ port: w.listener.port, host: "127.0.0.1" });
      const gone = new Promise((resolve) => slow.once("close", resolve));
      slow.on("error", () => undefined).resume();
      while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
      clock.advance(HANDSHAKE_PATIENCE_MS);
      const { conn } = connected(await w.dial());
      await gone;
      assert.deepEqual(w.outcomes.reasons("server"), ["too_many_handshakes"]);
      conn.destroy();
    });

    test("fails at once, and explained, while there is no certificate", async () => {
      const w = await world();
      w.clientTable.removeIdentity(CLIENT);
      assert.equal(failed(await w.dial()).code, "RIPSTOP_TLS_NO_IDENTITY");
    });

    test("refuses a server that presents an untrusted or no mesh certificate", async () => {
      const w = await world();
      const impostor = await (await TestAuthority.create()).issue(w.authority.idOf("catalog"));
      const server = createTlsServer({ cert: impostor.chainPem, key: impostor.keyPem, ALPNProtocols: ["h2"] });
      server.on("tlsClientError", () => undefined);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      const cause = await new Promise<CloseCause>((resolve, reject) =>
        w.dialer.dial(
          {
            host: "127.0.0.1",
            port,
            workloadId: CLIENT,
            serverName: SERVER_NAME,
            expectedPeerId: w.authority.idOf("catalog"),
            trustDomain: "test.mesh",
            timeoutMs: 60_000,
          },
          { onConnected: () => reject(new Error("connected")), onFailed: resolve },
        ),
      );
      assert.equal(cause.code, "RIPSTOP_TLS_UNTRUSTED_CHAIN");
      server.close();
    });

    /** Connects once and leaves the client with a ticket. */
    async function withTicket(w: World): Promise<void> {
      const { length } = w.accepted;
      const { conn, recorder } = connected(await w.dial());
      await w.outcomes.until(() => w.accepted.length > length);
      w.accepted.at(-1)?.conn.write(Buffer.from("x"), 0, 1);
      await recorder.until(() => recorder.bytes === 1);
      await new Promise((resolve) => setImmediate(resolve));
      conn.destroy();
    }

    for (const [what, change] of [
      ["a revocation of somebody else", (table) => void table.setRevocations(revoked("spiffe://test.mesh/ns/x/sa/y"))],
      ["a change of policies", (table) => table.forgetSessions()],
    ] as const satisfies readonly (readonly [string, (table: IdentityTable) => void])[]) {
      test(`resumes no session from before ${what}, on either side`, async () => {
        const w = await world();
        await withTicket(w);
        change(w.serverTable);
        const { length } = w.accepted;
        const afterServer = connected(await w.dial());
        assert.equal(afterServer.conn.tls?.resumed, false);
        await w.outcomes.until(() => w.accepted.length > length);
        afterServer.conn.destroy();
        await withTicket(w);
        change(w.clientTable);
        const afterClient = connected(await w.dial());
        assert.equal(afterClient.conn.tls?.resumed, false);
        afterClient.conn.destroy();
      });
    }

    test("refuses a revoked caller and a revoked server, and says so", async () => {
      const w = await world();
      const { authority } = w;
      assert.equal(w.serverTable.setRevocations(revoked(authority.idOf("web"))), true);
      assert.equal(w.serverTable.setRevocations(revoked(authority.idOf("web"))), false);
      const outcome = await w.dial();
      await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
      assert.deepEqual(w.outcomes.reasons("server"), ["revoked"]);
      if ("conn" in outcome) outcome.conn.destroy();
      w.serverTable.setRevocations(new RevocationList());
      connected(await w.dial()).conn.destroy();
      w.clientTable.setRevocations(revoked(authority.idOf("catalog")));
      const cause = failed(await w.dial());
      assert.equal(cause.code, "RIPSTOP_TLS_REVOKED");
      assert.match(cause.message, /sa\/catalog was revoked: lost/);
    });

    test("refuses a single revoked certificate, and the next one of the same identity is good", async () => {
      const w = await world();
      await withTicket(w);
      const serialNumber = w.accepted[0]?.conn.tls?.peerSerial ?? "";
      assert.notEqual(serialNumber, "");
      w.serverTable.setRevocations(new RevocationList([{ spiffeId: "", serialNumber, reason: "" }]));
      const outcome = await w.dial();
      await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
      assert.deepEqual(w.outcomes.reasons("server"), ["revoked"]);
      if ("conn" in outcome) outcome.conn.destroy();
      w.clientTable.setIdentity(CLIENT, await w.authority.issue(w.authority.idOf("web")));
      connected(await w.dial()).conn.destroy();
    });

    test("neither calls nor serves under an own identity that is revoked", async () => {
      const w = await world();
      w.clientTable.setRevocations(revoked(w.authority.idOf("web")));
      assert.equal(failed(await w.dial()).code, "RIPSTOP_TLS_OWN_IDENTITY_REVOKED");
      w.clientTable.setRevocations(new RevocationList());
      w.serverTable.setRevocations(revoked(w.authority.idOf("catalog")));
      const outcome = await w.dial();
      await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
      assert.deepEqual(w.outcomes.reasons("server"), ["own_identity_revoked"]);
      if ("conn" in outcome) outcome.conn.destroy();
    });

    test("refuses keys and bundles that cannot be used, and keeps the old ones", async () => {
      const w = await world();
      const one = await w.authority.issue(w.authority.idOf("catalog"));
      const two = await w.authority.issue(w.authority.idOf("catalog"));
      const mixed = w.serverTable.setIdentity(SERVER, { chainPem: one.chainPem, keyPem: two.keyPem });
      assert.ok(!mixed.ok);
      assert.equal(mixed.error.kind.code, "RS5010");
      assert.ok(!w.serverTable.setIdentity(SERVER, { chainPem: "garbage", keyPem: two.keyPem }).ok);
      assert.ok(!w.serverTable.setBundles(new Map([["test.mesh", ""]])).ok);
      connected(await w.dial()).conn.destroy();
    });
  });

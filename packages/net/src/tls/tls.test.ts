// Mutual TLS as a connection, and what its handshake takes: names, versions, time, room.

import assert from "node:assert/strict";
import { connect as netConnect } from "node:net";
import { connect as tlsConnect, type ConnectionOptions } from "node:tls";
import { StoppedClock, TestAuthority } from "@ripstop/testkit";
import { connSuite, type ConnHarness } from "../conn.suite.ts";
import type { Conn } from "../conn.ts";
import type { TierName } from "../tiers/tier.ts";
import { HANDSHAKE_PATIENCE_MS } from "./handshake-room.ts";
import { RawTlsConn } from "./raw-tls-conn.ts";
import { TlsDialer } from "./tls-client.ts";
import { listenTls } from "./tls-server.ts";
import {
  CLIENT,
  connected,
  describeMutualTls,
  Outcomes,
  patient,
  SERVER,
  SERVER_NAME,
  side,
  verifyPeer,
  type World,
} from "./tls-world.suite.ts";

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

/** A client of node:tls with anything wrong; resolves when it is closed, with the bytes that it got. */
function raw(w: World, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
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
}

describeMutualTls("the handshake of mutual TLS", ({ world, test }) => {
  test("refuses a client without a certificate", async () => {
    const w = await world();
    assert.equal(await raw(w, { servername: SERVER_NAME }), "");
    assert.deepEqual(w.outcomes.reasons("server"), ["no_certificate"]);
    assert.equal(w.accepted.length, 0);
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
    assert.deepEqual([...new Set(w.outcomes.reasons("server"))].toSorted(), ["no_server_name", "unknown_server_name"]);
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
    for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", "\0".repeat(64), "PRI * HTTP/2.0\r\n\r\n"]) {
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
});

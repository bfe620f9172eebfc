// TLS of clients outside the mesh: who is let in, and what a client may cost before it is.

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { afterEach, beforeEach, describe, it } from "node:test";
import { StoppedClock, TestAuthority } from "@ripstop/testkit";
import type { Conn } from "../conn.ts";
import type { Listener } from "../listen.ts";
import { listenEdge } from "./edge-listener.ts";
import { HANDSHAKE_PATIENCE_MS } from "./handshake-room.ts";
import { EdgeTerminator } from "./edge-terminator.ts";
import type { TlsRefusal } from "./tls-observer.ts";

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.resume();
  });
}

async function turn(until: () => boolean): Promise<void> {
  while (!until()) await new Promise<void>((resolve) => setImmediate(resolve));
}

describe("a listener for TLS of clients", () => {
  const clock = new StoppedClock();
  let listener: Listener;
  let authority: TestAuthority;
  let refused: TlsRefusal[];
  let conns: Conn[];
  let sockets: Socket[];

  beforeEach(async () => {
    refused = [];
    conns = [];
    sockets = [];
    authority = await TestAuthority.create("outside");
    const certificate = await authority.issue("spiffe://outside/x", { uris: [], dnsNames: ["a.com"] });
    const terminator = EdgeTerminator.create({ certificates: [certificate], alpn: ["h2", "http/1.1"] });
    assert.ok(terminator.ok);
    const onConn = (conn: Conn): void => {
      conns.push(conn);
      conn.handler = { onBytes: () => undefined, onEnd: () => conn.end(), onDrain() {}, onClose() {} };
    };
    const opened = await listenEdge({
      host: "127.0.0.1",
      port: 0,
      clock,
      observer: { accepted: () => undefined, refused: (refusal) => void refused.push(refusal) },
      maxConnections: 10,
      maxHandshakes: 2,
      choose: ({ serverName }) => {
        if (serverName === "a.com") return { terminator: terminator.value, onConn };
        return serverName === "pass.com" ? { terminator: undefined, onConn } : undefined;
      },
    });
    assert.ok(opened.ok);
    listener = opened.value;
  });

  afterEach(async () => {
    listener.close();
    for (const socket of sockets) socket.destroy();
    for (const conn of conns) conn.destroy();
    await turn(() => listener.connections === 0);
  });

  function plain(): Socket {
    const socket = connect({ port: listener.port, host: "127.0.0.1" });
    sockets.push(socket);
    return socket;
  }

  /** Whether a client that asks for a name finishes its handshake. */
  function finishes(servername: string): Promise<boolean> {
    const tls = tlsConnect({ port: listener.port, host: "127.0.0.1", servername, ca: authority.bundlePem });
    sockets.push(tls);
    tls.on("error", () => undefined);
    return new Promise((resolve) => {
      tls.once("close", () => resolve(false));
      tls.once("secureConnect", () => resolve(true));
    });
  }

  it("says whose connection it is when the handshake is over", async () => {
    assert.ok(await finishes("a.com"));
    await turn(() => conns.length === 1);
    assert.equal(conns[0]?.tls?.serverName, "a.com");
    assert.equal(conns[0]?.tls?.peerId, "");
  });

  it("counts a client as connected before its handshake, which goes on when the listener is closed", async () => {
    const socket = plain();
    await turn(() => listener.connections === 1);
    listener.close();
    const tls = tlsConnect({ socket, servername: "a.com", ca: authority.bundlePem });
    await new Promise<void>((resolve, reject) => {
      tls.once("error", reject);
      tls.once("secureConnect", () => resolve());
    });
    await turn(() => conns.length === 1);
    assert.equal(listener.connections, 1);
  });

  it("refuses a name that nobody serves", async () => {
    assert.ok(!(await finishes("b.com")));
    assert.deepEqual(
      refused.map(({ reason }) => reason),
      ["unknown_server_name"],
    );
  });

  it("closes clients that are silent, or that do not finish their hello, after ten seconds", async () => {
    const silent = plain();
    const slow = plain();
    slow.write(Buffer.from([22, 3, 1, 2, 0, 1, 0]));
    await Promise.all([silent, slow].map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
    const gone = Promise.all([closed(silent), closed(slow)]);
    // A third is more than may be under way: closed at once, so that the two others are known to have come.
    await closed(plain());
    assert.deepEqual(
      refused.map(({ reason }) => reason),
      ["too_many_handshakes"],
    );
    clock.advance(10_000);
    await gone;
    assert.deepEqual(
      refused.slice(1).map(({ reason }) => reason),
      ["timeout", "timeout"],
    );
  });

  it("gives the place of the slowest to a newcomer when too many are slow, and nobody's at once", async () => {
    const slow = plain();
    const gone = closed(slow);
    await turn(() => listener.connections === 1);
    clock.advance(HANDSHAKE_PATIENCE_MS - 1);
    const other = plain();
    await turn(() => listener.connections === 2);
    await closed(plain());
    assert.ok(!slow.destroyed);
    clock.advance(1);
    assert.ok(await finishes("a.com"));
    await turn(() => conns.length === 1);
    await gone;
    assert.ok(!other.destroyed);
    assert.deepEqual(
      refused.map(({ reason }) => reason),
      ["too_many_handshakes", "too_many_handshakes"],
    );
  });

  it("closes a client whose first bytes are no TLS", async () => {
    const socket = plain();
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await closed(socket);
    assert.deepEqual(
      refused.map(({ reason }) => reason),
      ["not_tls"],
    );
  });

  it("cannot be made with a key that does not belong to the certificate", async () => {
    const [one, other] = [await authority.issue("spiffe://outside/x"), await authority.issue("spiffe://outside/y")];
    const made = EdgeTerminator.create({
      certificates: [{ chainPem: one.chainPem, keyPem: other.keyPem }],
      alpn: [],
    });
    assert.ok(!made.ok);
    assert.equal(made.error.kind.code, "RS5010");
  });
});

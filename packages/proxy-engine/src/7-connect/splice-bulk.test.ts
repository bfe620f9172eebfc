// Bulk through joined connections: bytes are written from the memory that they were read into, so that every byte is
// checked here, with readers that stop and go, both directions at once, and neighbours that break off.

import assert from "node:assert/strict";
import { createHash, randomInt, type Hash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, it } from "node:test";
import { dial, listen, onreadTier, publicTier, rawTier, type Conn, type Listener, type Tier } from "@ripstop/net";
import { PatientClock } from "@ripstop/testkit";
import { Splice } from "./splice.ts";

const MB = 1024 * 1024;
const IGNORE = { onBytes: () => undefined, onEnd: () => undefined, onDrain: () => undefined, onClose: () => undefined };

interface Forwarder {
  readonly listener: Listener;
  /** Every connection that was joined. */
  readonly conns: Conn[];
  ended: number;
}

/** Joins each connection with one to `target`. */
async function forwarder(tier: Tier, target: number): Promise<Forwarder> {
  const parts: { conns: Conn[]; ended: number } = { conns: [], ended: 0 };
  const listener = await listen({
    tier,
    onConn: (client) => {
      const early: Buffer[] = [];
      client.handler = { ...IGNORE, onBytes: (buf, start, end) => early.push(Buffer.from(buf.subarray(start, end))) };
      dial(
        { port: target, timeoutMs: 60_000, clock: new PatientClock(), tier },
        {
          onConnected: (server) => {
            parts.conns.push(client, server);
            for (const bytes of early) server.write(bytes, 0, bytes.length);
            new Splice(client, server, { onSpliceEnd: () => parts.ended++ });
          },
          onFailed: () => client.destroy(),
        },
      );
    },
  });
  assert.ok(listener.ok);
  return Object.assign(parts, { listener: listener.value });
}

/** Sends `bytes` in pieces of any size, as they are taken, and ends; the digest of what was sent. */
async function send(socket: Socket, bytes: number): Promise<string> {
  const hash = createHash("sha1");
  // Different at every place, so that a piece out of its place is seen.
  const pattern = Buffer.alloc(2 * MB);
  for (let at = 0; at < pattern.length; at += 4)
    pattern.writeUInt32LE(Math.imul(at + randomInt(1000), 2_654_435_761) >>> 0, at);
  for (let left = bytes; left > 0;) {
    const size = Math.min(left, randomInt(4) === 0 ? 1 + randomInt(2000) : 1 + randomInt(pattern.length));
    const start = randomInt(pattern.length - size + 1);
    const piece = Buffer.from(pattern.subarray(start, start + size));
    hash.update(piece);
    left -= size;
    if (!socket.write(piece)) await once(socket, "drain");
  }
  socket.end();
  return hash.digest("hex");
}

/** Reads to the end, in stops and goes; the digest of what came. */
async function receive(socket: Socket): Promise<string> {
  const hash: Hash = createHash("sha1");
  socket.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    if (randomInt(8) > 0) return;
    socket.pause();
    let turns = 1 + randomInt(20);
    const again = (): void => {
      if (--turns > 0) setImmediate(again);
      else socket.resume();
    };
    setImmediate(again);
  });
  await once(socket, "end");
  return hash.digest("hex");
}

async function serveSockets(onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

describe("bulk through joined connections", () => {
  for (const tier of [rawTier, onreadTier, publicTier]) {
    it(`brings every byte to its place in both directions (${tier.name})`, async () => {
      // Those whose client breaks off end with an error, and are not waited for.
      const atServer = new Map<string, string>();
      const server = await serveSockets((socket) => {
        void Promise.all([send(socket, 8 * MB), receive(socket)]).then(
          ([sent, received]) => atServer.set(received, sent),
          () => undefined,
        );
      });
      const forward = await forwarder(tier, (server.address() as AddressInfo).port);
      const clients: Promise<readonly [sent: string, received: string]>[] = [];
      let wasBulk = false;
      for (let count = 0; count < 4; count++) {
        const socket = connect({ port: forward.listener.port, host: "127.0.0.1", allowHalfOpen: true });
        socket.on("error", () => undefined);
        clients.push(Promise.all([send(socket, 8 * MB), receive(socket)]));
        // A neighbour that breaks off in the middle of its bulk.
        const broken = connect({ port: forward.listener.port, host: "127.0.0.1" });
        broken.on("error", () => undefined);
        broken.on("data", () => {
          wasBulk ||= forward.conns.some((conn) => conn.readsAlone === true);
          if (broken.bytesRead > 3 * MB) broken.resetAndDestroy();
        });
      }
      const atClients = await Promise.all(clients);
      while (atServer.size < atClients.length) await new Promise((resolve) => setImmediate(resolve));
      for (const [sent, received] of atClients) assert.equal(received, atServer.get(sent));
      assert.equal(wasBulk, tier === rawTier);
      for (const conn of forward.conns) conn.destroy();
      while (forward.ended < forward.conns.length / 2) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(forward.conns.every((conn) => conn.readsAlone !== true));
      forward.listener.close();
      server.close();
    });
  }

  it("gives up its memory when nothing comes any more", async () => {
    const server = await serveSockets((socket) => socket.resume().on("end", () => socket.end()));
    const forward = await forwarder(rawTier, (server.address() as AddressInfo).port);
    const socket = connect({ port: forward.listener.port, host: "127.0.0.1" });
    const block = Buffer.alloc(MB);
    while (!forward.conns.some((conn) => conn.readsAlone === true)) {
      if (!socket.write(block)) await once(socket, "drain");
    }
    const [client] = forward.conns;
    client?.rest?.();
    assert.equal(client?.readsAlone, false);
    // And goes on as before.
    const before = socket.bytesWritten;
    socket.end(block);
    await once(socket, "finish");
    assert.equal(socket.bytesWritten, before + MB);
    socket.destroy();
    while (forward.ended < 1) await new Promise((resolve) => setImmediate(resolve));
    forward.listener.close();
    server.close();
  });
});

// Attacks below HTTP on a port that ends TLS: handshakes that never end, bytes that are no TLS, keys that change without end,
// clients that do not read. Deadlines end them, and other clients are answered meanwhile.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { GatewayListener_Kind, type KeyPair } from "@ripstop/model";
import { freePort, StoppedClock } from "@ripstop/testkit";
import { SESSION_CHECK_MS, WRITE_STALL_MS } from "./settings.ts";
import {
  fetchSecure,
  handshake,
  httpRule,
  listener,
  OutsideAuthority,
  TestGateway,
} from "./testing/test-gateway.suite.ts";
import { plainEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import { eventually, httpApp, tcpApp, type Started } from "./testing/test-peers.suite.ts";
import { RawTlsClient } from "./testing/tls-bytes.suite.ts";

const HANDSHAKE_MS = 10_000;
const HANDSHAKE_RECORD = 22;
const LARGE: Buffer = Buffer.alloc(1024 * 1024);

/** The first bytes of a client of OpenSSL. */
async function clientHello(): Promise<Buffer> {
  let hello: Buffer = Buffer.alloc(0);
  const app = await tcpApp((socket) =>
    socket.once("data", (chunk: Buffer) => {
      hello = chunk;
      socket.destroy();
    }),
  );
  await assert.rejects(handshake(app.port, { servername: "a.com" }));
  await app.close();
  return hello;
}

describe("a port that ends TLS", () => {
  let clock: StoppedClock;
  let mesh: TestMesh;
  let edge: TestGateway;
  let port: number;
  let app: Started;
  let ca: OutsideAuthority;
  let certificate: KeyPair;
  let sockets: Socket[];
  let asked: number;
  /** Requests for a large answer. */
  let large: number;

  beforeEach(async () => {
    clock = new StoppedClock();
    sockets = [];
    asked = 0;
    large = 0;
    mesh = await TestMesh.create();
    ca = await OutsideAuthority.create();
    certificate = await ca.certificate("a.com");
    app = await httpApp((request, response) => {
      asked++;
      if (request.url === "/large") large++;
      response.end(request.url === "/large" ? LARGE : "ok");
    });
    mesh.service("infra/web", { ports: [{ port: 80 }], endpoints: [plainEndpoint(app.port, { 80: app.port })] });
    edge = await TestGateway.start(mesh, "infra/edge", { clock });
    port = await freePort();
    edge.route({ name: "infra/r", listeners: { tls: [] }, http: [httpRule("infra/web", { port: 80 })] });
    await edge.listen([listener("tls", port, { kind: GatewayListener_Kind.HTTPS, certificates: [certificate] })]);
    await othersAreServed();
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await eventually(() => edge.hosted.connections === 0);
    await edge.end([app]);
  });

  async function othersAreServed(): Promise<void> {
    const answer = await fetchSecure(port, { serverName: "a.com", roots: ca.rootsPem });
    assert.deepEqual([answer.status, answer.body], [200, "ok"]);
  }

  /** A client that only says `bytes`. */
  function plain(bytes: Buffer): { readonly socket: Socket; readonly closed: Promise<unknown> } {
    const socket = connect({ port, host: "127.0.0.1" });
    sockets.push(socket);
    socket.on("error", () => undefined);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.resume();
    if (bytes.length > 0) socket.write(bytes);
    return { socket, closed };
  }

  const raw = async (): Promise<RawTlsClient> => {
    const client = await RawTlsClient.connect(port, {
      servername: "a.com",
      ca: ca.rootsPem,
      ALPNProtocols: ["http/1.1"],
    });
    sockets.push(client.socket);
    return client;
  };

  it("serves others while many clients stop in the middle of their hello, or behind it, and ends those", async () => {
    const hello = await clientHello();
    const clients = Array.from({ length: 150 }, (_, at) =>
      plain([Buffer.alloc(0), hello.subarray(0, 1), hello.subarray(0, hello.length >> 1), hello][at % 4] ?? hello),
    );
    await eventually(() => edge.hosted.connections === clients.length);
    for (let at = 0; at < 5; at++) await othersAreServed();
    assert.ok(clients.every(({ socket }) => !socket.destroyed));
    clock.advance(HANDSHAKE_MS);
    await Promise.all(clients.map(({ closed }) => closed));
    await othersAreServed();
  });

  it("closes clients at once whose bytes are no TLS, whole or in the middle of a hello", async () => {
    const hello = await clientHello();
    const broken = Buffer.from(hello);
    broken.fill(0xff, 60);
    const garbage = [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.alloc(100_000, 0x16), Buffer.alloc(5), broken];
    await Promise.all(Array.from({ length: 100 }, (_, at) => plain(garbage[at % 4] ?? broken).closed));
    await othersAreServed();
  });

  it("reads a hello in records of one byte, and ends the client that says no more", async () => {
    const hello = await clientHello();
    const records = [...hello.subarray(5)].map((byte) => Buffer.from([HANDSHAKE_RECORD, 3, 1, 0, 1, byte]));
    const { socket, closed } = plain(Buffer.concat(records));
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.equal(answer[0], HANDSHAKE_RECORD);
    await othersAreServed();
    clock.advance(HANDSHAKE_MS);
    await closed;
  });

  it("answers others, and the client itself, through tens of thousands of KeyUpdates", async () => {
    const client = await raw();
    for (let batch = 0; batch < 100; batch++) {
      const updates = Array.from({ length: 200 }, () => client.keyUpdate(true));
      await client.write(Buffer.concat(updates));
      if (batch % 25 === 0) await othersAreServed();
    }
    const before = asked;
    await client.write(client.data("GET / HTTP/1.1\r\nhost: a.com\r\n\r\n"));
    await eventually(() => asked > before || client.closed);
    assert.ok(!client.closed);
    await othersAreServed();
  });

  it("ends a client of TLS 1.2 that negotiates again and again", async () => {
    const client: TLSSocket = await handshake(port, { servername: "a.com", ca: ca.rootsPem, maxVersion: "TLSv1.2" });
    sockets.push(client);
    client.on("error", () => undefined);
    let done = 0;
    const again = (): void => {
      if (client.destroyed) return;
      client.renegotiate({}, (error) => {
        if (error === null && ++done < 100) again();
      });
    };
    again();
    await eventually(() => client.destroyed);
    assert.ok(done < 10, `${done} times`);
    await othersAreServed();
  });

  it("cuts a client that asks for much and never reads", async () => {
    const client = await raw();
    client.socket.pause();
    const request = "GET /large HTTP/1.1\r\nhost: a.com\r\n\r\n";
    await client.write(client.data(request.repeat(100)));
    await eventually(() => large > 0);
    await othersAreServed();
    for (let spent = 0; !client.closed && spent <= 3 * WRITE_STALL_MS; spent += SESSION_CHECK_MS) {
      clock.advance(SESSION_CHECK_MS);
      await othersAreServed();
    }
    await eventually(() => edge.hosted.connections === 0);
    // What the sockets take; a hundred were asked for.
    assert.ok(large < 50, `${large} MB were fetched for it`);
  });
});

// gRPC through two proxies: deadlines at the server's side, cancellation in every phase of a call.

import assert from "node:assert/strict";
import type { ClientHttp2Session, ClientHttp2Stream, ServerHttp2Stream } from "node:http2";
import { describe, it } from "node:test";
import { Protocol } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import { meshEndpoint, TestMesh, type TestProxy } from "./testing/test-mesh.suite.ts";
import { eventually, http2App, http2Client, passTime, TcpClient } from "./testing/test-peers.suite.ts";

const INTERNAL_ERROR = 2;
const CANCEL = 8;

interface GrpcMesh {
  readonly web: TestProxy;
  readonly orders: TestProxy;
  readonly webClock: StoppedClock;
  readonly ordersClock: StoppedClock;
  readonly port: number;
  readonly session: ClientHttp2Session;
  /** Calls as the application got them. */
  readonly calls: ServerHttp2Stream[];
  /** Connections of the proxy to the application. */
  readonly sessions: Set<unknown>;
  /** Error codes of calls that are over at the application. */
  readonly codes: number[];
}

/** Two proxies that stand still in time, an application that leaves its calls to the test. */
async function withGrpc(run: (parts: GrpcMesh) => Promise<void>): Promise<void> {
  const mesh = await TestMesh.create();
  const calls: ServerHttp2Stream[] = [];
  const codes: number[] = [];
  const sessions = new Set<unknown>();
  const app = await http2App((server) =>
    server.on("stream", (stream) => {
      calls.push(stream);
      sessions.add(stream.session);
      stream.on("error", () => undefined);
      stream.on("close", () => codes.push(stream.rstCode));
      stream.resume();
    }),
  );
  const [webClock, ordersClock] = [new StoppedClock(), new StoppedClock()];
  let session: ClientHttp2Session | undefined;
  try {
    const orders = await mesh.start({
      id: "shop/orders-1",
      service: "shop/orders",
      ports: [{ port: 8080, applicationPort: app.port, protocol: Protocol.GRPC }],
      clock: ordersClock,
    });
    mesh.service("shop/orders", {
      ports: [{ port: 80, protocol: Protocol.GRPC }],
      endpoints: [meshEndpoint("shop/orders-1", orders, { 80: 8080 })],
    });
    const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "orders", port: 80 }], clock: webClock });
    await web.becameReady;
    const port = web.ports.upstreams[0] ?? 0;
    session = http2Client(port);
    await run({ web, orders, webClock, ordersClock, port, session, calls, codes, sessions });
  } finally {
    session?.destroy();
    await mesh.close();
    await app.close();
  }
}

const call = (session: ClientHttp2Session, headers: Record<string, string> = {}): ClientHttp2Stream => {
  const stream = session.request({
    ":method": "POST",
    ":path": "/Orders/Get",
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => undefined);
  return stream;
};

const headOf = (stream: ClientHttp2Stream): Promise<Record<string, unknown>> =>
  new Promise((resolve) => {
    stream.on("response", resolve);
    stream.resume();
  });

const quiet = ({ web, orders }: GrpcMesh): Promise<void> =>
  eventually(() => web.proxy.live.exchanges + orders.proxy.live.exchanges === 0);

describe("the deadline of a gRPC call at the server's side", () => {
  it("is kept there too: a caller's proxy that does not watch over it gets DEADLINE_EXCEEDED, the application a cancel", () =>
    withGrpc(async (parts) => {
      const { session, calls, codes, ordersClock } = parts;
      const stream = call(session, { "grpc-timeout": "2S" });
      stream.end();
      const answered = headOf(stream);
      await eventually(() => calls.length === 1);
      ordersClock.advance(1_500);
      assert.deepEqual(codes, []);
      ordersClock.advance(1_000);
      const head = await answered;
      assert.equal(head["grpc-status"], "4");
      assert.equal(head["x-ripstop-error"], "RS1005");
      await eventually(() => codes.length === 1);
      assert.deepEqual(codes, [CANCEL]);
      await quiet(parts);
    }));

  it("ends a response that is under way", () =>
    withGrpc(async (parts) => {
      const { session, calls, codes, ordersClock } = parts;
      const stream = call(session, { "grpc-timeout": "2S" });
      stream.end();
      const answered = headOf(stream);
      await eventually(() => calls.length === 1);
      calls[0]?.respond({ ":status": 200, "content-type": "application/grpc" });
      calls[0]?.write("begun");
      assert.equal((await answered)[":status"], 200);
      const closed = new Promise((resolve) => stream.on("close", resolve));
      ordersClock.advance(2_500);
      await closed;
      assert.notEqual(stream.rstCode, 0);
      await eventually(() => codes.length === 1);
      await quiet(parts);
    }));

  it("is no matter any more once the call was answered, and none for what is not gRPC", () =>
    withGrpc(async (parts) => {
      const { session, calls, ordersClock } = parts;
      const first = call(session, { "grpc-timeout": "2S" });
      first.end();
      const answered = headOf(first);
      await eventually(() => calls.length === 1);
      calls[0]?.respond({ ":status": 200, "grpc-status": "0" }, { endStream: true });
      assert.equal((await answered)["grpc-status"], "0");
      await quiet(parts);
      const other = call(session, { "content-type": "text/plain", "grpc-timeout": "2S" });
      other.end();
      const later = headOf(other);
      await eventually(() => calls.length === 2);
      ordersClock.advance(2_500);
      calls[1]?.respond({ ":status": 200 }, { endStream: true });
      assert.equal((await later)[":status"], 200);
    }));
});

describe("a call that its client cancels", () => {
  it("before the answer is cancelled at the application, and the connections stay", () =>
    withGrpc(async (parts) => {
      const { session, calls, codes, orders, sessions } = parts;
      const stream = call(session);
      stream.end();
      await eventually(() => calls.length === 1);
      stream.close(CANCEL);
      await eventually(() => codes.length === 1);
      assert.deepEqual(codes, [CANCEL]);
      await quiet(parts);
      const next = call(session);
      next.end();
      const answered = headOf(next);
      await eventually(() => calls.length === 2);
      assert.equal(sessions.size, 1);
      assert.equal(orders.proxy.workloads.get("shop/orders-1")?.inboundSessions.size, 1);
      calls[1]?.respond({ ":status": 200, "grpc-status": "0" }, { endStream: true });
      assert.equal((await answered)["grpc-status"], "0");
    }));

  it("in the middle of its messages is cancelled at the application", () =>
    withGrpc(async (parts) => {
      const { session, calls, codes } = parts;
      const stream = call(session);
      stream.write("part of a message");
      await eventually(() => calls.length === 1);
      stream.close(CANCEL);
      await eventually(() => codes.length === 1);
      assert.deepEqual(codes, [CANCEL]);
      await quiet(parts);
    }));

  it("in the middle of the answer is cancelled at the application", () =>
    withGrpc(async (parts) => {
      const { session, calls, codes } = parts;
      const stream = call(session);
      stream.end();
      const answered = headOf(stream);
      await eventually(() => calls.length === 1);
      calls[0]?.respond({ ":status": 200, "content-type": "application/grpc" });
      calls[0]?.write("begun");
      await answered;
      stream.close(CANCEL);
      await eventually(() => codes.length === 1);
      assert.deepEqual(codes, [CANCEL]);
      await quiet(parts);
    }));

  it("by closing its connection is cancelled at the application, from an HTTP/1.1 client too", () =>
    withGrpc(async (parts) => {
      const { session, calls, codes, port } = parts;
      call(session).end();
      await eventually(() => calls.length === 1);
      session.destroy();
      await eventually(() => codes.length === 1);
      const client = new TcpClient(port);
      client.write("POST /Orders/Get HTTP/1.1\r\nhost: orders\r\ncontent-length: 100\r\n\r\nnot all of it");
      await eventually(() => calls.length === 2);
      client.socket.destroy();
      await eventually(() => codes.length === 2);
      assert.deepEqual(codes, [CANCEL, CANCEL]);
      await quiet(parts);
    }));
});

describe("a call that the application resets", () => {
  it("tells the client the application's own error code when the answer has begun", () =>
    withGrpc(async (parts) => {
      const { session, calls } = parts;
      const stream = call(session);
      stream.end();
      const answered = headOf(stream);
      await eventually(() => calls.length === 1);
      calls[0]?.respond({ ":status": 200, "content-type": "application/grpc" });
      calls[0]?.write("begun");
      await answered;
      const closed = new Promise((resolve) => stream.on("close", resolve));
      // Node's close() would end the answer in order first.
      calls[0]?.destroy(new Error("broken"));
      await closed;
      assert.equal(stream.rstCode, INTERNAL_ERROR);
      await quiet(parts);
    }));
});

describe("a call whose application breaks off", () => {
  it("is made once only: the application may have done what it asked for", () =>
    withGrpc(async (parts) => {
      const { session, calls, webClock } = parts;
      const stream = call(session);
      stream.end();
      let head: Record<string, unknown> | undefined;
      void headOf(stream).then((answer) => (head = answer));
      await passTime(webClock, () => {
        for (const { session: carrier } of calls) carrier?.destroy();
        return head !== undefined;
      });
      assert.equal(calls.length, 1);
      assert.deepEqual([head?.["grpc-status"], head?.["x-ripstop-error"]], ["14", "RS1006"]);
      await quiet(parts);
    }));
});

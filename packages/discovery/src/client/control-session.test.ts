// The session against node:http2 and against a server that breaks the protocol.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";

import { PatientClock } from "@ripstop/testkit";

import { ControlSession } from "./control-session.ts";
import { GrpcStream } from "./grpc-stream.ts";

describe("a session with the control plane", { timeout: 10_000 }, () => {
  let heard: string[];
  let notify: () => void;
  let socket: Socket;
  let server: Server;
  let peer: ServerHttp2Session | undefined;

  beforeEach(() => {
    heard = [];
    notify = () => undefined;
    peer = undefined;
  });
  afterEach(async () => {
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  function hear(what: string): void {
    heard.push(what);
    notify();
  }

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (notify = resolve));
  }

  async function open(to: Server): Promise<ControlSession> {
    server = to;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    return new ControlSession(socket, new PatientClock(), {
      onGoaway: () => hear("goaway"),
      onError: (message) => hear(message),
      onPong: () => hear("pong"),
    });
  }

  function http2Server(): Server {
    const plain = createServer();
    plain.on("session", (session) => {
      peer = session;
      session.on("error", () => undefined);
    });
    plain.on("stream", (stream) => {
      stream.on("error", () => undefined);
      hear("stream");
    });
    return plain;
  }

  function stream(session: ControlSession): GrpcStream {
    return new GrpcStream(
      session,
      "/a.B/C",
      {},
      { onMessage: () => undefined, onDrain: () => undefined, onEnd: (_status, message) => hear(`ended: ${message}`) },
    );
  }

  it("hears the answer to its ping", async () => {
    const session = await open(http2Server());
    session.ping();
    await until(() => heard.length > 0);
    assert.deepEqual(heard, ["pong"]);
  });

  it("hears a goaway, and opens no stream afterwards", async () => {
    const session = await open(http2Server());
    stream(session);
    await until(() => heard.includes("stream"));
    peer?.goaway(0);
    await until(() => heard.includes("goaway"));
    assert.equal(session.over, true);
    heard = [];
    stream(session);
    await until(() => heard.length > 0);
    assert.deepEqual(heard, ["ended: the connection takes no new stream"]);
  });

  it("ends its streams and its socket when destroyed", async () => {
    const session = await open(http2Server());
    stream(session);
    await until(() => heard.includes("stream"));
    const closed = once(socket, "close");
    session.destroy();
    await closed;
    assert.deepEqual(heard, ["stream", "ended: closed by this side"]);
  });

  it("ends its streams when the connection is lost", async () => {
    const session = await open(http2Server());
    stream(session);
    await until(() => heard.includes("stream"));
    socket.destroy();
    await until(() => heard.length > 1);
    assert.deepEqual(heard, ["stream", "ended: RS5209 the connection was closed (RFC 9113 §5.4.1)"]);
    assert.equal(session.over, true);
  });

  it("reports a peer that breaks the protocol, and closes the socket", async () => {
    const session = await open(
      createTcpServer((other) =>
        other
          .on("error", () => undefined)
          .resume()
          .end("HTTP/1.1 400 Bad\r\n\r\n"),
      ),
    );
    const closed = once(socket, "close");
    await until(() => heard.length > 0);
    await closed;
    assert.match(heard.join(), /RS52/);
    assert.equal(session.over, true);
  });
});

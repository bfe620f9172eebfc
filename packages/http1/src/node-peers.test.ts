// Both connections against Node's own HTTP client and server over loopback sockets.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import { after, describe, it } from "node:test";
import {
  HeaderList,
  RequestHead,
  ResponseHead,
  type ClientStreamHandler,
  type ServerStreamHandler,
} from "@ripstop/http";
import { Http1ClientConnection } from "./client-connection.ts";
import type { Http1Output } from "./message-sender.ts";
import { Http1ServerConnection } from "./server-connection.ts";

function outputOf(socket: net.Socket): Http1Output {
  return {
    write: (buf, start, end) => socket.write(Uint8Array.prototype.slice.call(buf, start, end)),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    end: () => socket.end(),
    destroy: () => socket.destroy(),
  };
}

interface Feedable {
  receive(buf: Buffer, start: number, end: number): void;
  receivedEnd(): void;
  writable(): void;
  closed(cause: string): void;
}

function feed(socket: net.Socket, connection: Feedable): void {
  socket.on("data", (data: Buffer) => connection.receive(data, 0, data.length));
  socket.on("end", () => connection.receivedEnd());
  socket.on("drain", () => connection.writable());
  socket.on("error", () => undefined);
  socket.on("close", () => connection.closed("closed"));
}

/** Answers every request with method, path and body, back-pressured, trailers echoed. */
function echoServer(): net.Server {
  return net.createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new Http1ServerConnection({
      output: outputOf(socket),
      handler: {
        onRequest(stream, head, end): ServerStreamHandler {
          const response = new ResponseHead();
          response.headers.append("x-echo", `${head.method} ${head.path}`);
          if (head.protocol !== "") {
            response.status = 101;
            response.protocol = head.protocol;
          }
          if (head.expectsContinue) {
            const interim = new ResponseHead();
            interim.status = 100;
            stream.sendInformational(interim);
          }
          stream.sendResponse(response, end);
          let waiting = 0;
          return {
            onBody(buf, start, stop) {
              if (stream.sendBody(buf, start, stop)) stream.consumed(stop - start);
              else waiting += stop - start;
            },
            onTrailers: (trailers) => stream.sendTrailers(trailers),
            onEnd: () => stream.sendEnd(),
            onWritable() {
              stream.consumed(waiting);
              waiting = 0;
            },
            onReset: () => undefined,
          };
        },
        onIdle: () => undefined,
        onError: () => undefined,
        onLinger: () => undefined,
      },
    });
    feed(socket, connection);
  });
}

async function listen(server: net.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as net.AddressInfo).port;
}

describe("Http1ServerConnection with Node's client", () => {
  const server = echoServer();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  after(() => {
    agent.destroy();
    server.close();
  });
  let port: number;

  async function exchange(
    options: http.RequestOptions,
    body?: Buffer,
  ): Promise<{ response: http.IncomingMessage; body: Buffer }> {
    port ??= await listen(server);
    const request = http.request({ port, host: "127.0.0.1", agent, ...options });
    request.end(body);
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { response, body: Buffer.concat(chunks) };
  }

  it("answers a GET and keeps the connection for the next", async () => {
    const first = await exchange({ path: "/one" });
    assert.equal(first.response.headers["x-echo"], "GET /one");
    const second = await exchange({ path: "/two" });
    assert.equal(second.response.headers["x-echo"], "GET /two");
    assert.equal(first.response.socket, second.response.socket);
  });

  it("carries a large body both ways", async () => {
    const body = Buffer.alloc(3_000_000, "0123456789abc");
    const echoed = await exchange({ method: "POST", path: "/", headers: { "content-length": body.length } }, body);
    assert.ok(echoed.body.equals(body));
    const chunked = await exchange({ method: "POST", path: "/", headers: { "transfer-encoding": "chunked" } }, body);
    assert.ok(chunked.body.equals(body));
  });

  it("answers 100 Continue before the body", async () => {
    port ??= await listen(server);
    const request = http.request({
      port,
      agent,
      method: "PUT",
      headers: { expect: "100-continue", "content-length": 2 },
    });
    const responded = once(request, "response");
    request.flushHeaders();
    await once(request, "continue");
    request.end("ok");
    const [response] = (await responded) as [http.IncomingMessage];
    assert.equal(String((await response.toArray())[0]), "ok");
  });

  it("upgrades to raw bytes both ways", async () => {
    port ??= await listen(server);
    const key = Buffer.alloc(16, 7).toString("base64");
    const request = http.request({
      port,
      headers: { connection: "Upgrade", upgrade: "websocket", "sec-websocket-key": key, "sec-websocket-version": "13" },
    });
    request.end();
    const [response, socket] = (await once(request, "upgrade")) as [http.IncomingMessage, net.Socket];
    assert.equal(response.statusCode, 101);
    assert.equal(response.headers["upgrade"], "websocket");
    socket.write("ping");
    const [data] = (await once(socket, "data")) as [Buffer];
    assert.equal(String(data), "ping");
    socket.destroy();
  });
});

interface Collected {
  status: number;
  body: Buffer;
  trailers: Record<string, string>;
  headers: HeaderList;
}

/** Sends one request on `connection` and resolves with the whole response. */
function request(connection: Http1ClientConnection, head: RequestHead, body?: Buffer): Promise<Collected> {
  return new Promise((resolve, reject) => {
    const collected: Collected = { status: 0, body: Buffer.alloc(0), trailers: {}, headers: new HeaderList() };
    const chunks: Buffer[] = [];
    const finish = (): void => {
      collected.body = Buffer.concat(chunks);
      resolve(collected);
    };
    let sent = 0;
    const pump = (): void => {
      if (body === undefined) return;
      while (sent < body.length) {
        const stop = Math.min(body.length, sent + 50_000);
        const isFlowing = stream?.sendBody(body, sent, stop) ?? true;
        sent = stop;
        if (!isFlowing) return;
      }
      stream?.sendEnd();
    };
    const handler: ClientStreamHandler = {
      onInformational: () => undefined,
      onResponse(response, end) {
        collected.status = response.status;
        collected.headers.copyFrom(response.headers);
        if (end) finish();
      },
      onBody(buf, start, end) {
        chunks.push(Buffer.from(buf.subarray(start, end)));
        stream?.consumed(end - start);
      },
      onTrailers(trailers) {
        for (let at = 0; at < trailers.length; at++) collected.trailers[trailers.nameAt(at)] = trailers.valueAt(at);
        finish();
      },
      onEnd: finish,
      onWritable: pump,
      onReset: (code, cause) => reject(new Error(`${code} ${cause}`)),
    };
    const stream = connection.open(handler);
    if (stream === undefined) {
      reject(new Error("the connection is not idle"));
      return;
    }
    stream.sendRequest(head, body === undefined);
    pump();
  });
}

describe("Http1ClientConnection with Node's server", () => {
  const server = http.createServer((incoming, response) => {
    if (incoming.url === "/trailers") {
      response.writeHead(200, { trailer: "x-sum" });
      response.write("body");
      response.addTrailers({ "x-sum": "42" });
      response.end();
    } else if (incoming.url === "/close") {
      response.useChunkedEncodingByDefault = false;
      response.shouldKeepAlive = false;
      response.end("until the end");
    } else {
      response.setHeader("x-host", incoming.headers.host ?? "");
      incoming.pipe(response);
    }
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  let port: number;

  async function connect(): Promise<{ connection: Http1ClientConnection; socket: net.Socket; events: string[] }> {
    port ??= await listen(server);
    const socket = net.connect(port, "127.0.0.1");
    await once(socket, "connect");
    const events: string[] = [];
    const connection = new Http1ClientConnection({
      output: outputOf(socket),
      handler: {
        onIdle: () => events.push("idle"),
        onUnusable: () => events.push("unusable"),
        onError: (error) => events.push(error.name),
      },
    });
    feed(socket, connection);
    return { connection, socket, events };
  }

  it("reuses the connection for exchange after exchange", async () => {
    const { connection, socket, events } = await connect();
    const head = new RequestHead();
    head.authority = "catalog.test:80";
    for (let round = 0; round < 3; round++) {
      const got = await request(connection, head);
      assert.equal(got.status, 200);
      assert.equal(got.headers.get("x-host"), "catalog.test:80");
    }
    assert.deepEqual(events, ["idle", "idle", "idle"]);
    socket.destroy();
  });

  it("sends large bodies with known and unknown length and gets them back", async () => {
    const { connection, socket } = await connect();
    const body = Buffer.alloc(2_000_000, "abcdefg");
    const head = new RequestHead();
    head.method = "POST";
    head.authority = "a";
    head.contentLength = body.length;
    assert.ok((await request(connection, head, body)).body.equals(body));
    head.contentLength = -1;
    assert.ok((await request(connection, head, body)).body.equals(body));
    socket.destroy();
  });

  it("hands out trailers, and bodies that last until close", async () => {
    const { connection, events } = await connect();
    const head = new RequestHead();
    head.authority = "a";
    head.path = "/trailers";
    const first = await request(connection, head);
    assert.deepEqual(first.trailers, { "x-sum": "42" });
    head.path = "/close";
    const second = await request(connection, head);
    assert.equal(String(second.body), "until the end");
    assert.deepEqual(events, ["idle", "unusable"]);
  });
});

// Against Node's own HTTP/2 (nghttp2) over real sockets, in both roles.

import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { describe, it } from "node:test";
import {
  HeaderList,
  RequestHead,
  ResponseHead,
  type ClientStream,
  type ClientStreamHandler,
  type ServerStream,
  type ServerStreamHandler,
} from "@ripstop/http";
import type { Http2Connection } from "./connection.ts";
import type { Http2ServerHandler } from "./connection-types.ts";
import type { Http2Settings } from "./limits.ts";
import { dial, serve } from "./testing/loopback.suite.ts";
import { RecordingHandler } from "./testing/recording-handler.suite.ts";

/** Answers every request with its own body, counting down trailers, under back-pressure. */
class EchoServer extends RecordingHandler implements Http2ServerHandler {
  readonly heads: RequestHead[] = [];
  readonly resets: number[] = [];

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    const copy = new RequestHead();
    copy.copyFrom(head);
    this.heads.push(copy);
    const response = new ResponseHead();
    if (head.headers.get("x-hint") !== undefined) {
      response.status = 103;
      response.headers.append("link", "</style.css>");
      stream.sendInformational(response);
      response.clear();
    }
    response.headers.append("x-path", head.path);
    response.headers.append("x-echo", head.headers.get("x-echo") ?? "");
    stream.sendResponse(response, end);
    let held = 0;
    let open = true;
    return {
      onBody(buf, start, stop) {
        if (stream.sendBody(buf, start, stop) && open) return stream.consumed(stop - start);
        open = false;
        held += stop - start;
      },
      onEnd: () => {
        if (copy.path === "/unanswered") return;
        const trailers = new HeaderList();
        trailers.append("x-trailer", "done");
        stream.sendTrailers(trailers);
      },
      onTrailers: (trailers) => stream.sendTrailers(trailers),
      onWritable() {
        open = true;
        stream.consumed(held);
        held = 0;
      },
      onReset: (code) => this.resets.push(code),
    };
  }
}

async function withEchoServer(
  run: (client: http2.ClientHttp2Session, server: EchoServer, connections: readonly Http2Connection[]) => Promise<void>,
  options: http2.ClientSessionOptions = {},
  settings: Partial<Http2Settings> = {},
): Promise<void> {
  const handler = new EchoServer();
  const connections: Http2Connection[] = [];
  const listener = net.createServer((socket) => connections.push(serve(socket, handler, { settings })));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as net.AddressInfo;
  const client = http2.connect(`http://127.0.0.1:${port}`, options);
  try {
    await run(client, handler, connections);
  } finally {
    client.destroy();
    listener.close();
  }
  assert.deepEqual(handler.errors.map(String), []);
}

interface Reply {
  headers: http2.IncomingHttpHeaders;
  trailers: http2.IncomingHttpHeaders;
  body: Buffer;
}

async function exchange(stream: http2.ClientHttp2Stream, body: Buffer): Promise<Reply> {
  const chunks: Buffer[] = [];
  let headers: http2.IncomingHttpHeaders = {};
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on("response", (h) => (headers = h));
  stream.on("trailers", (t) => (trailers = t));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!stream.writableEnded) stream.end(body);
  await once(stream, "end");
  return { headers, trailers, body: Buffer.concat(chunks) };
}

function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + seed * 7 + (at >> 8)) & 0xff;
  return bytes;
}

describe("server role with node:http2 as client", () => {
  it("answers a request without a body", async () => {
    await withEchoServer(async (client) => {
      const reply = await exchange(
        client.request({ ":path": "/a?b=c", "x-echo": "hello" }, { endStream: true }),
        Buffer.alloc(0),
      );
      assert.equal(reply.headers[":status"], 200);
      assert.equal(reply.headers["x-path"], "/a?b=c");
      assert.equal(reply.headers["x-echo"], "hello");
    });
  });

  it("decodes every character that a value may have, Huffman-coded or not", async () => {
    await withEchoServer(async (client) => {
      let value = "";
      for (let code = 0x21; code < 0x100; code++) if (code !== 0x7f) value += String.fromCharCode(code);
      for (const text of [value, "www.example.com", value.repeat(3)]) {
        const reply = await exchange(client.request({ "x-echo": text }), Buffer.alloc(0));
        assert.equal(reply.headers["x-echo"], text);
      }
    });
  });

  it("echoes large bodies under flow control in both directions, and trailers behind them", async () => {
    await withEchoServer(async (client) => {
      const bodies = [0, 1, 70_000, 3_000_000].map((length, seed) => pattern(length, seed));
      const replies = await Promise.all(bodies.map((body) => exchange(client.request({ ":method": "POST" }), body)));
      replies.forEach((reply, at) => {
        assert.ok(reply.body.equals(bodies[at]!));
        assert.equal(reply.trailers["x-trailer"], "done");
      });
    });
  });

  it("serves many streams at once", async () => {
    await withEchoServer(async (client) => {
      const bodies = Array.from({ length: 300 }, (_, seed) => pattern(seed * 37, seed));
      const replies = await Promise.all(bodies.map((body) => exchange(client.request({ ":method": "POST" }), body)));
      replies.forEach((reply, at) => assert.ok(reply.body.equals(bodies[at]!)));
    });
  });

  it("hears that the client cancels", async () => {
    await withEchoServer(async (client, server) => {
      const stream = client.request({ ":method": "POST", ":path": "/unanswered" });
      stream.on("error", () => undefined);
      await once(stream, "response");
      stream.close(http2.constants.NGHTTP2_CANCEL);
      await once(stream, "close");
      await exchange(client.request({}), Buffer.alloc(0));
      assert.deepEqual(server.resets, [8]);
    });
  });
});

describe("server role with a demanding node:http2 client", () => {
  for (const [theirs, ours] of [
    [0, 4096],
    [100, 0],
    [65_536, 65_536],
    [4096, 300],
  ] as const) {
    it(`keeps both dynamic tables in step, theirs ${theirs} and ours ${ours} bytes`, async () => {
      await withEchoServer(
        async (client) => {
          for (let turn = 0; turn < 150; turn++) {
            const text = `value ${turn % 9}-${"x".repeat((turn * 13) % 120)}`;
            const headers = { ":path": `/${turn % 5}`, "x-echo": text, [`x-name-${turn % 40}`]: String(turn % 3) };
            const reply = await exchange(client.request(headers), Buffer.alloc(0));
            assert.equal(reply.headers["x-echo"], text);
            assert.equal(reply.headers["x-path"], `/${turn % 5}`);
          }
        },
        { settings: { headerTableSize: theirs } },
        { headerTableBytes: ours },
      );
    });
  }

  it("takes padding, and header sections that need CONTINUATION frames both ways", async () => {
    await withEchoServer(
      async (client) => {
        const text = "long ".repeat(8000).trim();
        const body = pattern(100_000, 3);
        const reply = await exchange(client.request({ ":method": "POST", "x-echo": text }), body);
        assert.equal(reply.headers["x-echo"], text);
        assert.ok(reply.body.equals(body));
      },
      { paddingStrategy: http2.constants.PADDING_STRATEGY_MAX },
    );
  });

  it("sends 1xx before the response", async () => {
    await withEchoServer(async (client) => {
      const stream = client.request({ "x-hint": "1" });
      const hints: unknown[] = [];
      stream.on("headers", (headers) => hints.push([headers[":status"], headers["link"]]));
      await exchange(stream, Buffer.alloc(0));
      assert.deepEqual(hints, [[103, "</style.css>"]]);
    });
  });

  it("opens a tunnel by extended CONNECT", async () => {
    await withEchoServer(async (client, server) => {
      await once(client, "remoteSettings");
      const stream = client.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/chat" });
      await once(stream, "response");
      stream.write("ping");
      const [echo] = (await once(stream, "data")) as [Buffer];
      assert.equal(echo.toString(), "ping");
      assert.equal(server.heads[0]?.protocol, "websocket");
      stream.close();
    });
  });

  it("shuts down gracefully: what is under way completes, then the connection closes", async () => {
    await withEchoServer(async (client, _server, connections) => {
      const body = pattern(200_000, 9);
      const streams = [1, 2, 3].map(() => client.request({ ":method": "POST" }));
      await Promise.all(streams.map((stream) => once(stream, "response")));
      const closed = once(client, "close");
      connections[0]?.shutdown();
      const replies = await Promise.all(streams.map((stream) => exchange(stream, body)));
      for (const reply of replies) assert.ok(reply.body.equals(body));
      await closed;
    });
  });
});

interface Seen {
  head: ResponseHead;
  informational: number[];
  body: Buffer[];
  trailers: HeaderList | undefined;
  reset: number | undefined;
}

/** Sends one request with our client role and gathers the reply. */
function call(
  open: (h: ClientStreamHandler) => ClientStream | undefined,
  head: RequestHead,
  body: Buffer,
): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const seen: Seen = { head: new ResponseHead(), informational: [], body: [], trailers: undefined, reset: undefined };
    let sent = 0;
    const pump = (): void => {
      while (sent < body.length) {
        const next = Math.min(body.length, sent + 30_000);
        const more = stream!.sendBody(body, sent, next);
        sent = next;
        if (!more) return;
      }
      stream!.sendEnd();
    };
    const stream = open({
      onInformational: (h) => seen.informational.push(h.status),
      onResponse(h, end) {
        seen.head.copyFrom(h);
        if (end) resolve(seen);
      },
      onBody(buf, start, end) {
        seen.body.push(Buffer.from(buf.subarray(start, end)));
        stream!.consumed(end - start);
      },
      onTrailers(trailers) {
        seen.trailers = new HeaderList();
        seen.trailers.copyFrom(trailers);
        resolve(seen);
      },
      onEnd: () => resolve(seen),
      onWritable: pump,
      onReset(code) {
        seen.reset = code;
        resolve(seen);
      },
    });
    if (stream === undefined) {
      reject(new Error("no stream"));
      return;
    }
    stream.sendRequest(head, body.length === 0);
    if (body.length > 0) pump();
  });
}

describe("client role with node:http2 as server", () => {
  async function withNodeServer(
    onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
    run: (connection: ReturnType<typeof dial>, handler: RecordingHandler) => Promise<void>,
  ): Promise<void> {
    const server = http2.createServer({ settings: { initialWindowSize: 20_000 } });
    server.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      onStream(stream, headers);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    const handler = new RecordingHandler();
    const connection = dial(socket, handler, { settings: { initialWindowBytes: 30_000 } });
    try {
      await run(connection, handler);
    } finally {
      socket.destroy();
      server.close();
    }
    assert.deepEqual(handler.errors.map(String), []);
  }

  function post(path: string): RequestHead {
    const head = new RequestHead();
    head.method = "POST";
    head.scheme = "http";
    head.authority = "test.example";
    head.path = path;
    head.headers.append("x-name", "value");
    return head;
  }

  it("sends and receives large bodies, trailers and 1xx", async () => {
    await withNodeServer(
      (stream, headers) => {
        stream.additionalHeaders({ ":status": 103, link: "</a>" });
        stream.respond({ ":status": 201, "x-path": String(headers[":path"]) }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "42" }));
        stream.pipe(stream);
      },
      async (connection) => {
        const bodies = [10, 100_000, 1_500_000].map((length, seed) => pattern(length, seed));
        const replies = await Promise.all(
          bodies.map((body, at) => call((h) => connection.open(h), post(`/${at}`), body)),
        );
        replies.forEach((seen, at) => {
          assert.equal(seen.head.status, 201);
          assert.equal(seen.head.headers.get("x-path"), `/${at}`);
          assert.deepEqual(seen.informational, [103]);
          assert.ok(Buffer.concat(seen.body).equals(bodies[at]!));
          assert.equal(seen.trailers?.get("x-sum"), "42");
        });
        assert.equal(connection.activeStreams, 0);
      },
    );
  });

  it("repeats requests that share a dynamic table", async () => {
    await withNodeServer(
      (stream, headers) => {
        stream.respond({ "x-path": String(headers[":path"]), "x-name": String(headers["x-name"]) });
        stream.end("ok");
      },
      async (connection) => {
        for (let turn = 0; turn < 300; turn++) {
          const head = post(`/${turn % 7}`);
          head.headers.set("x-name", `v${turn % 5}`);
          head.headers.append(`x-${turn % 90}`, "x".repeat(turn));
          const seen = await call((h) => connection.open(h), head, Buffer.alloc(0));
          assert.equal(seen.head.headers.get("x-path"), `/${turn % 7}`);
          assert.equal(seen.head.headers.get("x-name"), `v${turn % 5}`);
          assert.equal(Buffer.concat(seen.body).toString(), "ok");
        }
      },
    );
  });

  it("drains when the server closes, and its last exchange still completes", async () => {
    await withNodeServer(
      (stream) => {
        stream.respond({});
        stream.session?.close();
        setImmediate(() => stream.end("last"));
      },
      async (connection, handler) => {
        const seen = await call((h) => connection.open(h), post("/"), Buffer.alloc(0));
        assert.equal(Buffer.concat(seen.body).toString(), "last");
        assert.ok(connection.draining);
        assert.equal(connection.open({} as ClientStreamHandler), undefined);
        assert.ok(handler.events.some((event) => event.startsWith("goaway")));
      },
    );
  });

  it("hears that the server resets", async () => {
    await withNodeServer(
      (stream) => stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM),
      async (connection) => {
        const seen = await call((h) => connection.open(h), post("/"), pattern(10, 1));
        assert.equal(seen.reset, 11);
      },
    );
  });
});

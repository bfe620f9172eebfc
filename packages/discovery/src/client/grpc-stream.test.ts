// gRPC framing against a plain node:http2 server that sends bytes in any pieces.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { afterEach, beforeEach, describe, it } from "node:test";

import type { ControlSession } from "./control-session.ts";
import { plainSession } from "./control-session.suite.ts";
import { GrpcStream } from "./grpc-stream.ts";

function frame(text: string): Buffer {
  const bytes = Buffer.from(text);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

describe("a gRPC stream", () => {
  let server: Http2Server;
  let session: ControlSession;
  let handle: (stream: ServerHttp2Stream) => void;
  beforeEach(async () => {
    server = createServer();
    server.on("stream", (stream) => {
      stream.on("error", () => undefined);
      handle(stream);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    session = await plainSession(address.port);
  });
  afterEach(async () => {
    session.destroy();
    server.close();
    await once(server, "close");
  });

  /** Messages until the end, and the end. */
  function run(onMessage?: (text: string) => void): Promise<{ readonly messages: string[]; readonly end: string }> {
    return new Promise((resolve) => {
      const messages: string[] = [];
      const stream = new GrpcStream(
        session,
        "/a.B/C",
        {},
        {
          onMessage: (bytes) => {
            messages.push(bytes.toString());
            onMessage?.(bytes.toString());
          },
          onDrain: () => undefined,
          onEnd: (status, message) => resolve({ messages, end: `${status} ${message}` }),
        },
      );
      stream.send(Buffer.from("hello"));
    });
  }

  it("cuts messages out of any pieces", async () => {
    const all = Buffer.concat([frame("one"), frame(""), frame("x".repeat(10_000)), frame("four")]);
    for (const size of [1, 3, 5, 7, 4096, all.length]) {
      handle = (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" });
        let at = 0;
        const next = (): void => {
          if (at >= all.length) {
            stream.end();
            return;
          }
          stream.write(all.subarray(at, (at += size)), next);
        };
        next();
      };
      assert.deepEqual((await run()).messages, ["one", "", "x".repeat(10_000), "four"], `pieces of ${size}`);
    }
  });

  it("sends what it is given, framed", async () => {
    const received = new Promise<string>((resolve) => {
      handle = (stream) => {
        let all = "";
        stream.on("data", (chunk: Buffer) => {
          all += chunk.toString("latin1");
          if (all.length < 10) return;
          resolve(all);
          stream.respond({ ":status": 200 });
          stream.end();
        });
      };
    });
    await run();
    assert.equal(await received, "\0\0\0\0\x05hello");
  });

  it("reports status and message of the trailers", async () => {
    handle = (stream) => {
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "7", "grpc-message": "not%20yours" }));
      stream.end();
    };
    assert.equal((await run()).end, "7 not yours");
  });

  it("ends on an HTTP error, a compressed message, and a message that is too long", async () => {
    handle = (stream) => {
      stream.respond({ ":status": 503 });
      stream.end();
    };
    assert.match((await run()).end, /HTTP status 503/);
    handle = (stream) => {
      stream.respond({ ":status": 200 });
      stream.write(Buffer.from([1, 0, 0, 0, 0]));
    };
    assert.match((await run()).end, /compressed/);
    handle = (stream) => {
      stream.respond({ ":status": 200 });
      stream.write(Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]));
    };
    assert.match((await run()).end, /2147483647 bytes/);
  });

  it("ends when its owner cannot read a message", async () => {
    handle = (stream) => {
      stream.respond({ ":status": 200 });
      stream.write(frame("bad"));
    };
    const { end } = await run(() => {
      throw new Error("malformed");
    });
    assert.match(end, /malformed/);
  });
});

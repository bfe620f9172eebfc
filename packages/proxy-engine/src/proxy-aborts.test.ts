// Random traffic through two proxies of which most breaks off, by the client or the application and at any moment: no
// byte of one request is ever in another, and nothing is left behind.

import assert from "node:assert/strict";
import type { ClientHttp2Session } from "node:http2";
import { connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, it } from "node:test";
import { queuedBodies } from "@ripstop/http";
import { Protocol } from "@ripstop/model";
import { SeededRandom } from "@ripstop/testkit";
import { QUEUED_BODIES_BYTES } from "./settings.ts";
import { meshEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import { eventually, http2App, http2Client, httpApp, type Started } from "./testing/test-peers.suite.ts";

const ROUNDS = 150;
const LANES = 8;

/** A body that tells whose it is: by its length and one letter. */
function bodyOf(seed: number): Buffer {
  const random = new SeededRandom(seed);
  const length = random.integer(random.pick([2, 300, 300, 3_000, 100_000]));
  return Buffer.alloc(length, String.fromCharCode(0x41 + (seed % 26)));
}

/**
 * `count` turns of the event loop and one more. Never at once: Node's HTTP/2 goes on with the memory of a stream that is
 * reset while bytes are taken in (nodejs/node#64113), and destroys the heap of the process.
 */
function turns(count: number): Promise<void> {
  return new Promise((resolve) => {
    const step = (left: number): void => void setImmediate(() => (left <= 0 ? resolve() : step(left - 1)));
    step(count);
  });
}

/** What an application does with request `seed`, and the requests whose body was not theirs. */
interface Application {
  readonly wrong: number[];
  /** Takes the body, then answers with it twice. */
  handle(seed: number, body: Promise<Buffer>, parts: { cut(): void; answer(body: Buffer): void }): Promise<void>;
}

function application(): Application {
  const wrong: number[] = [];
  return {
    wrong,
    async handle(seed, body, { cut, answer }) {
      const random = new SeededRandom(seed + 7);
      const isCut = random.next() < 0.3;
      if (isCut) {
        body.catch(() => undefined);
        await turns(random.integer(6));
        cut();
        return;
      }
      const came = await body.catch(() => undefined);
      if (came === undefined) return;
      const expected = bodyOf(seed);
      if (!came.equals(expected)) wrong.push(seed);
      answer(Buffer.concat([came, came]));
    },
  };
}

function http1Application(handle: Application["handle"]): Promise<Started> {
  return httpApp((request, response) => {
    response.on("error", () => undefined);
    void handle(Number(request.headers["x-seed"]), buffer(request), {
      cut: () => request.socket.destroy(),
      answer: (body) => void response.end(body),
    });
  });
}

function http2Application(handle: Application["handle"]): Promise<Started> {
  return http2App((server) => {
    server.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      const seed = Number(headers["x-seed"]);
      void handle(seed, buffer(stream), {
        cut: () => stream.close(8),
        answer: (body) => {
          if (stream.destroyed) return;
          stream.respond({ ":status": 200 });
          stream.end(body);
        },
      });
    });
  });
}

/** The answer as far as it came; undefined when it broke off. */
function overHttp2(session: ClientHttp2Session, seed: number, cutAfter: number): Promise<Buffer | undefined> {
  const stream = session.request({ ":method": "PUT", ":path": "/", "x-seed": String(seed) });
  let status: unknown;
  stream.on("response", (headers) => (status = headers[":status"]));
  stream.on("error", () => undefined);
  stream.end(bodyOf(seed));
  if (cutAfter >= 0) void turns(cutAfter).then(() => stream.close(8));
  return buffer(stream).then(
    (body) => (status === 200 && stream.rstCode === 0 ? body : undefined),
    () => undefined,
  );
}

async function overHttp1(port: number, seed: number, cutAfter: number): Promise<Buffer | undefined> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  const body = bodyOf(seed);
  const head = `PUT / HTTP/1.1\r\nhost: app\r\nx-seed: ${seed}\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`;
  socket.write(head);
  socket.write(body);
  if (cutAfter >= 0) void turns(cutAfter).then(() => socket.destroy());
  const all = await buffer(socket).catch(() => undefined);
  socket.destroy();
  const end = all?.indexOf("\r\n\r\n") ?? -1;
  if (all === undefined || end < 0 || !all.subarray(0, end).includes("HTTP/1.1 200 ")) return undefined;
  const declared = /content-length: (\d+)/i.exec(all.latin1Slice(0, end));
  const answer = all.subarray(end + 4);
  return declared !== null && Number(declared[1]) === answer.length ? answer : undefined;
}

describe("random traffic that breaks off", () => {
  for (const [name, start, protocol] of [
    ["HTTP/1.1", http1Application, Protocol.HTTP1],
    ["HTTP/2", http2Application, Protocol.HTTP2],
  ] as const) {
    it(`mixes no bodies and leaves nothing counted, with an ${name} application`, async () => {
      const mesh = await TestMesh.create();
      const restBytes = queuedBodies.heldBytes;
      const { wrong, handle } = application();
      const app = await start(handle);
      try {
        const ports = [{ port: 8080, applicationPort: app.port, protocol }];
        const server = await mesh.start({ id: "shop/app-1", service: "shop/app", ports });
        mesh.service("shop/app", {
          ports: [{ port: 80 }],
          endpoints: [meshEndpoint("shop/app-1", server, { 80: 8080 })],
        });
        const client = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "app", port: 80 }] });
        await client.becameReady;
        const port = client.ports.upstreams[0] ?? 0;
        const random = new SeededRandom(protocol);
        const session = http2Client(port);
        let started = 0;
        let whole = 0;
        const lane = async (): Promise<void> => {
          while (started < ROUNDS) {
            const seed = ++started;
            queuedBodies.limitBytes = random.pick([QUEUED_BODIES_BYTES, QUEUED_BODIES_BYTES, restBytes + 20_000, -1]);
            const cutAfter = random.next() < 0.4 ? random.integer(12) : -1;
            const answer = await (random.next() < 0.5
              ? overHttp1(port, seed, cutAfter)
              : overHttp2(session, seed, cutAfter));
            if (answer === undefined) continue;
            whole++;
            const body = bodyOf(seed);
            assert.ok(answer.equals(Buffer.concat([body, body])), `the answer to ${seed} is another one's`);
          }
        };
        await Promise.all(Array.from({ length: LANES }, lane));
        session.close();
        assert.deepEqual(wrong, [], "the requests that came with another one's body");
        assert.ok(whole > 0, `${whole} of ${ROUNDS} answers came whole`);
        await eventually(() => client.proxy.live.exchanges === 0 && server.proxy.live.exchanges === 0);
        await eventually(() => queuedBodies.heldBytes === restBytes);
      } finally {
        queuedBodies.limitBytes = QUEUED_BODIES_BYTES;
        await mesh.close();
        await app.close();
      }
    });
  }
});

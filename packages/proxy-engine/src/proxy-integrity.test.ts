// Random traffic through two proxies: every byte arrives, in order, once; nothing is left behind.

import assert from "node:assert/strict";
import { Agent, request as httpRequest } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import type { Readable } from "node:stream";
import { describe, it } from "node:test";
import { Protocol } from "@ripstop/model";
import { SeededRandom } from "@ripstop/testkit";
import { bodyMemory } from "./7-connect/body-memory.ts";
import { meshEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import {
  eventually,
  fetchVia,
  http2App,
  http2Client,
  httpApp,
  TcpClient,
  type Started,
} from "./testing/test-peers.suite.ts";

const ROUNDS = Number(process.env["RIPSTOP_INTEGRITY_ROUNDS"] ?? 300);

/** Bytes that differ everywhere, so that a lost, doubled or moved piece shows. */
function bytes(length: number, seed: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    buffer[at] = state >>> 24;
  }
  return buffer;
}

/** Reads to the end, stopping now and then when `slow`. */
async function readAll(stream: Readable, slow: boolean): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
    if (slow) for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return Buffer.concat(chunks);
}

interface Exchange {
  readonly upload: Buffer;
  readonly downloadLength: number;
  readonly seed: number;
  readonly chunked: boolean;
  readonly slow: boolean;
}

/** What an application answers: the request's own bytes and as many as were asked for. */
function answerOf(upload: Buffer, downloadLength: number, seed: number): Buffer {
  return Buffer.concat([upload, bytes(downloadLength, seed)]);
}

function overHttp1(port: number, agent: Agent, exchange: Exchange): Promise<Buffer> {
  const { upload, downloadLength, seed, chunked, slow } = exchange;
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = {
      host: "app",
      "x-download": String(downloadLength),
      "x-seed": String(seed),
    };
    if (!chunked) headers["content-length"] = String(upload.length);
    const request = httpRequest({ host: "127.0.0.1", port, method: "POST", path: "/", headers, agent }, (response) => {
      readAll(response, slow).then((body) => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${response.statusCode} ${body.toString()}`));
      }, reject);
    });
    request.on("error", reject);
    for (let at = 0; at < upload.length; at += 10_000) request.write(upload.subarray(at, at + 10_000));
    request.end();
  });
}

function overHttp2(session: ClientHttp2Session, exchange: Exchange): Promise<Buffer> {
  const { upload, downloadLength, seed, slow } = exchange;
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/",
      "x-download": String(downloadLength),
      "x-seed": String(seed),
    });
    let status: unknown;
    stream.on("response", (headers) => (status = headers[":status"]));
    stream.on("error", reject);
    readAll(stream, slow).then((body) => {
      if (status === 200) resolve(body);
      else reject(new Error(`${String(status)} ${body.toString()}`));
    }, reject);
    for (let at = 0; at < upload.length; at += 10_000) stream.write(upload.subarray(at, at + 10_000));
    stream.end();
  });
}

async function http1Echo(): Promise<Started> {
  return httpApp((request, response) => {
    void readAll(request, Number(request.headers["x-seed"]) % 4 === 0).then((upload) => {
      const answer = answerOf(upload, Number(request.headers["x-download"]), Number(request.headers["x-seed"]));
      if (Number(request.headers["x-seed"]) % 2 === 0) response.setHeader("content-length", answer.length);
      for (let at = 0; at < answer.length; at += 30_000) response.write(answer.subarray(at, at + 30_000));
      response.end();
    });
  });
}

async function http2Echo(): Promise<Started> {
  return http2App((server) => {
    server.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      void readAll(stream, Number(headers["x-seed"]) % 4 === 0).then((upload) => {
        stream.respond({ ":status": 200 }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-length": String(upload.length) }));
        stream.end(answerOf(upload, Number(headers["x-download"]), Number(headers["x-seed"])));
      });
    });
  });
}

describe("random traffic through two proxies", () => {
  for (const [name, echo, protocol, transport] of [
    ["HTTP/1.1", http1Echo, Protocol.HTTP1, "public"],
    ["HTTP/2", http2Echo, Protocol.HTTP2, "public"],
    ["HTTP/1.1", http1Echo, Protocol.HTTP1, "onread"],
    ["HTTP/1.1", http1Echo, Protocol.HTTP1, "raw"],
    ["HTTP/2", http2Echo, Protocol.HTTP2, "onread"],
    ["HTTP/2", http2Echo, Protocol.HTTP2, "raw"],
  ] as const) {
    it(`arrives byte for byte at an ${name} application over the ${transport} transport, from HTTP/1.1 and HTTP/2 clients together`, async () => {
      const keptBefore = bodyMemory.outstanding;
      const mesh = await TestMesh.create(transport);
      const app = await echo();
      const agent = new Agent({ keepAlive: true, maxSockets: 12 });
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
        const session = http2Client(port);
        const random = new SeededRandom(protocol);
        const size = (): number => {
          const roll = random.next();
          if (roll < 0.4) return Math.floor(random.next() * 100);
          return roll < 0.9 ? Math.floor(random.next() * 20_000) : Math.floor(random.next() * 600_000);
        };
        let started = 0;
        const lane = async (): Promise<void> => {
          while (started < ROUNDS) {
            const seed = ++started;
            const upload = bytes(size(), seed);
            const exchange: Exchange = {
              upload,
              downloadLength: size(),
              seed,
              chunked: random.next() < 0.5,
              slow: random.next() < 0.3,
            };
            const answer = await (random.next() < 0.5
              ? overHttp1(port, agent, exchange)
              : overHttp2(session, exchange));
            assert.ok(answer.equals(answerOf(upload, exchange.downloadLength, seed)), `exchange ${seed} differs`);
          }
        };
        await Promise.all(Array.from({ length: 16 }, lane));
        session.close();
        agent.destroy();
        await eventually(() => client.proxy.live.exchanges === 0 && server.proxy.live.exchanges === 0);
        assert.ok(bodyMemory.outstanding <= keptBefore, "the memory of all bodies went back");
        await eventually(() =>
          [...(client.proxy.workloads.get("shop/web-1")?.connector.pools ?? [])].every((pool) => pool.active === 0),
        );
      } finally {
        agent.destroy();
        await mesh.close();
        await app.close();
      }
    });
  }

  it("is not held up by clients that do not read", async () => {
    const mesh = await TestMesh.create();
    // More than the kernel takes for a client that does not read.
    const big = Buffer.alloc(32 * 1024 * 1024);
    const app = await httpApp((request, response) => response.end(request.url === "/big" ? big : "quick"));
    try {
      const server = await mesh.start({
        id: "shop/app-1",
        service: "shop/app",
        ports: [{ port: 8080, applicationPort: app.port }],
      });
      mesh.service("shop/app", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/app-1", server, { 80: 8080 })],
      });
      const client = await mesh.start({ id: "shop/web-1" });
      const stalled = Array.from({ length: 20 }, () => {
        const one = new TcpClient(client.ports.httpProxy);
        one.socket.pause();
        one.write("GET http://app/big HTTP/1.1\r\nhost: app\r\n\r\n");
        return one;
      });
      await eventually(() => client.proxy.live.exchanges === 20);
      for (let turn = 0; turn < 500; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
      assert.equal((await fetchVia(client.ports.httpProxy, "http://app/")).body, "quick");
      assert.equal(client.proxy.live.exchanges, 20);
      for (const one of stalled) one.socket.destroy();
      await eventually(() => client.proxy.live.exchanges === 0 && server.proxy.live.exchanges === 0);
    } finally {
      await mesh.close();
      await app.close();
    }
  });
});

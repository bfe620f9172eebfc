// Attacks on HTTP/1.1 through two real proxies in front of a Node application: request smuggling, requests glued behind
// tunnels, poisoned answers, fields and hosts that a client may not choose. What is ambiguous is refused, never repaired.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { createMetricRegistry } from "@ripstop/telemetry";
import { telemetry } from "@ripstop/model";
import { EdgeTable } from "./telemetry/edge.ts";
import { withAttackMesh } from "./testing/attack-mesh.suite.ts";
import { meshEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import { fetchAt, fetchVia, tcpApp, TcpClient } from "./testing/test-peers.suite.ts";

/** Sends `text` and reads what comes until the proxy closes, as it does with all that is refused. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    socket.write(text, "latin1");
  });
}

/** Status lines. */
const answersIn = (received: string): number => received.match(/HTTP\/1\.1 [0-9]{3} /g)?.length ?? 0;

const INNER = "GET /smuggled HTTP/1.1\r\nHost: stock\r\n\r\n";
const chunked = `0\r\n\r\n${INNER}`;
const post = (fields: string, body: string, version = "HTTP/1.1"): string =>
  `POST /first ${version}\r\nHost: stock\r\n${fields}\r\n\r\n${body}`;
const length = String(chunked.length);

/** Each of these two readers could cut in two ways. */
const AMBIGUOUS: Record<string, string> = {
  "CL.TE": post(`Content-Length: ${length}\r\nTransfer-Encoding: chunked`, chunked),
  "TE.CL": post("Transfer-Encoding: chunked\r\nContent-Length: 4", `2e\r\n${INNER}\r\n0\r\n\r\n`),
  "two lengths": post(`Content-Length: ${length}\r\nContent-Length: 0`, chunked),
  "a list of lengths": post(`Content-Length: 0, ${length}`, chunked),
  "a negative length": post("Content-Length: -1", chunked),
  "a signed length": post(`Content-Length: +${length}`, chunked),
  "a hexadecimal length": post("Content-Length: 0x10", chunked),
  "an empty length": post("Content-Length:", chunked),
  "a length with a space inside": post("Content-Length: 1 0", chunked),
  "a length beyond 2^64": post("Content-Length: 18446744073709551616", chunked),
  "a space before the colon of the length": post(`Content-Length : ${length}`, chunked),
  "a tab before the colon of the coding": post("Transfer-Encoding\t: chunked", chunked),
  "a folded coding": post("Transfer-Encoding:\r\n chunked", chunked),
  "a field folded into the coding": post("X: y\r\n Transfer-Encoding: chunked", chunked),
  "chunked twice": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", chunked),
  "chunked and identity": post("Transfer-Encoding: chunked, identity", chunked),
  "an unknown coding": post("Transfer-Encoding: xchunked", chunked),
  "a quoted coding": post('Transfer-Encoding: "chunked"', chunked),
  "a coding with a vertical tab": post("Transfer-Encoding: \vchunked", chunked),
  "a coding with NUL": post("Transfer-Encoding: chunked\0", chunked),
  "an underscore in place of the hyphen beside a coding": post(
    `Transfer_Encoding: chunked\r\nContent-Length: 0, 0\r\nTransfer-Encoding: x`,
    chunked,
  ),
  "a coding in HTTP/1.0": post("Transfer-Encoding: chunked", chunked, "HTTP/1.0"),
  "bare LF behind a field": `POST /first HTTP/1.1\nHost: stock\nContent-Length: 0\n\n${INNER}`,
  "bare LF inside the head": post("X: y\nTransfer-Encoding: chunked", chunked),
  "bare CR inside a value": post("X: y\rTransfer-Encoding: chunked", chunked),
  "CR CR LF at the end of the head": `POST /first HTTP/1.1\r\nHost: stock\r\nContent-Length: 0\r\n\r\r\n${INNER}`,
  "a head that ends with CR and a letter": `GET /first HTTP/1.1\r\nHost: stock\r\n\rX: y\r\n\r\n${INNER}`,
  "a space before the first field": `POST /first HTTP/1.1\r\n Host: stock\r\nContent-Length: 0\r\n\r\n${INNER}`,
  "a field without a name": post(": y", INNER),
  "a line without a colon": post("Transfer-Encoding chunked", chunked),
  "two hosts": `GET /first HTTP/1.1\r\nHost: stock\r\nHost: other\r\n\r\n${INNER}`,
  "no host": `GET /first HTTP/1.1\r\n\r\n${INNER}`,
  "a host with a path": `GET /first HTTP/1.1\r\nHost: stock/x\r\n\r\n${INNER}`,
  "a space in the target": `GET /first x HTTP/1.1\r\nHost: stock\r\n\r\n${INNER}`,
  "a version of another time": `GET /first HTTP/1.2x\r\nHost: stock\r\n\r\n${INNER}`,
  "HTTP/0.9": `GET /first\r\n\r\n${INNER}`,
  "a chunk size with a sign": post("Transfer-Encoding: chunked", `+0\r\n\r\n${INNER}`),
  "a chunk size with 0x": post("Transfer-Encoding: chunked", `0x0\r\n\r\n${INNER}`),
  "a chunk size beyond 2^64": post("Transfer-Encoding: chunked", `10000000000000000\r\n${INNER}`),
  "a chunk size with a space": post("Transfer-Encoding: chunked", `0 \r\n\r\n${INNER}`),
  "a chunk size behind a bare LF": post("Transfer-Encoding: chunked", `1\nx\n0\n\n${INNER}`),
  "a chunk extension with a bare LF": post("Transfer-Encoding: chunked", `1;a\nb\r\nx\r\n0\r\n\r\n${INNER}`),
  "a chunk that is longer than its size": post("Transfer-Encoding: chunked", `1\r\nxy\r\n0\r\n\r\n${INNER}`),
  "a trailer with a bare CR": post("Transfer-Encoding: chunked", `0\r\nX: y\rz\r\n\r\n${INNER}`),
};

/** Legal: the inner request is a body, however it looks. */
const BODIES: Record<string, string> = {
  "by its length": post(`Content-Length: ${INNER.length}\r\nConnection: close`, INNER),
  "in a chunk": post(
    "Transfer-Encoding: chunked\r\nConnection: close",
    `${INNER.length.toString(16)};x="y"\r\n${INNER}\r\n0\r\n\r\n`,
  ),
  "of a GET": `GET /first HTTP/1.1\r\nHost: stock\r\nConnection: close\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
  "with two equal lengths": post(
    `Content-Length: ${INNER.length}\r\nContent-Length: ${INNER.length}\r\nConnection: close`,
    INNER,
  ),
};

describe("an ambiguous request", () => {
  it("is refused, and what is behind it never becomes a request", () =>
    withAttackMesh(async ({ port, web, seen, othersAreServed, untilQuiet }) => {
      for (const [name, text] of Object.entries(AMBIGUOUS)) {
        for (const via of [port, web.ports.httpProxy]) {
          const sent = via === port ? text : text.replace(" /first", " http://stock/first");
          const answer = await exchange(via, sent);
          assert.match(answer, /^(HTTP\/1\.1 (400|411|413|414|431|501|505) |$)/, `${name}: ${answer.slice(0, 60)}`);
          assert.ok(answersIn(answer) <= 1, `${name} was answered twice`);
        }
      }
      await othersAreServed();
      await untilQuiet();
      assert.deepEqual(
        seen.filter(({ url }) => url !== "/honest").map(({ url }) => url),
        [],
      );
    }));

  it("is not one whose body looks like a request", () =>
    withAttackMesh(async ({ port, seen, untilQuiet }) => {
      for (const [name, text] of Object.entries(BODIES)) {
        const answer = await exchange(port, text);
        assert.match(answer, /^HTTP\/1\.1 (200|400) /, name);
      }
      await untilQuiet();
      assert.ok(seen.length > 0);
      for (const { url, body } of seen) {
        assert.equal(url, "/first");
        assert.equal(body, INNER);
      }
    }));
});

describe("a request that is glued to another", () => {
  it("behind an upgrade does not reach the application before it has agreed", async () => {
    const mesh = await TestMesh.create();
    let received = "";
    const app = await tcpApp((socket) => {
      socket.on("data", (chunk: Buffer) => {
        received += chunk.toString("latin1");
        if (chunk.includes("\r\n\r\n")) socket.write("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      });
    });
    try {
      const stock = await mesh.start({ id: "shop/stock-1", ports: [{ port: 8080, applicationPort: app.port }] });
      mesh.service("shop/stock", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/stock-1", stock, { 80: 8080 })],
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "stock", port: 80 }] });
      const upgrades = [
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Connection: Upgrade\r\nUpgrade: x",
        "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
      ];
      for (const fields of upgrades) {
        const answer = await exchange(
          web.ports.upstreams[0] ?? 0,
          `GET /chat HTTP/1.1\r\nHost: stock\r\n${fields}\r\n\r\n${INNER}`,
        );
        assert.match(answer, /^HTTP\/1\.1 403 /);
      }
      const inHttp2 = await exchange(
        web.ports.upstreams[0] ?? 0,
        `GET /chat HTTP/1.1\r\nHost: stock\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n${INNER}`,
      );
      assert.match(inHttp2, /^HTTP\/1\.1 101 /);
      assert.equal(inHttp2.match(/HTTP\/1\.1 /g)?.length, 1);
      assert.doesNotMatch(received, /smuggled/);
    } finally {
      await mesh.close();
      await app.close();
    }
  });

  it("behind a refused CONNECT goes nowhere", () =>
    withAttackMesh(async ({ web, seen, othersAreServed, untilQuiet }) => {
      for (const target of ["stock:81", "nowhere.invalid:1", `127.0.0.1:${web.ports.httpProxy}`]) {
        const answer = await exchange(
          web.ports.httpProxy,
          `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\nGET http://stock/smuggled HTTP/1.1\r\nHost: stock\r\n\r\n`,
        );
        assert.match(answer, /^HTTP\/1\.1 [45]/, target);
        assert.equal(answersIn(answer), 1, target);
      }
      await othersAreServed();
      await untilQuiet();
      assert.deepEqual(
        seen.map(({ url }) => url),
        ["/honest"],
      );
    }));
});

describe("an answer with more behind it", () => {
  it("does not become the answer to somebody else's request", async () => {
    const mesh = await TestMesh.create();
    const poisoned = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\npoisoned";
    const app = await tcpApp((socket) => {
      socket.on("data", (chunk: Buffer) => {
        const honest = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        socket.write(chunk.includes("/poison") ? honest + poisoned : honest);
      });
    });
    try {
      const stock = await mesh.start({ id: "shop/stock-1", ports: [{ port: 8080, applicationPort: app.port }] });
      mesh.service("shop/stock", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/stock-1", stock, { 80: 8080 })],
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "stock", port: 80 }] });
      for (let round = 0; round < 10; round++) {
        for (const path of ["/poison", "/victim"]) {
          const answer = await fetchAt(web.ports.upstreams[0] ?? 0, path);
          assert.equal(answer.body, "ok");
        }
      }
    } finally {
      await mesh.close();
      await app.close();
    }
  });
});

describe("a client that takes without giving", () => {
  it("is cut when it pipelines without reading, and costs a bounded memory", () =>
    withAttackMesh(async ({ port, othersAreServed, untilQuiet }) => {
      const client = new TcpClient(port);
      client.socket.pause();
      const before = process.memoryUsage().rss;
      const batch = "GET / HTTP/1.1\r\nHost: stock\r\n\r\n".repeat(2_000);
      for (let round = 0; round < 200 && !client.closed; round++) {
        client.write(batch);
        await new Promise<void>((resolve) => setImmediate(resolve));
        if (client.socket.writableLength > 1024 * 1024) break;
      }
      await othersAreServed();
      assert.ok(process.memoryUsage().rss - before < 128 * 1024 * 1024);
      client.socket.destroy();
      await untilQuiet();
    }));

  it("is refused with too many fields, too long ones, or a head without end", () =>
    withAttackMesh(async ({ port, seen, othersAreServed }) => {
      const heads = {
        fields: "x: y\r\n".repeat(10_000),
        names: Array.from({ length: 5_000 }, (_, at) => `x-${at}: y\r\n`).join(""),
        value: `x: ${"y".repeat(1_000_000)}\r\n`,
        name: `${"x".repeat(1_000_000)}: y\r\n`,
      };
      for (const [name, fields] of Object.entries(heads)) {
        const answer = await exchange(port, `GET / HTTP/1.1\r\nHost: stock\r\n${fields}\r\n`);
        assert.match(answer, /^(HTTP\/1\.1 431 |$)/, name);
      }
      const long = await exchange(port, `GET /${"x".repeat(100_000)} HTTP/1.1\r\nHost: stock\r\n\r\n`);
      assert.match(long, /^(HTTP\/1\.1 414 |$)/);
      await othersAreServed();
      assert.deepEqual(
        seen.map(({ url }) => url),
        ["/honest"],
      );
    }));
});

describe("what a client may not say about itself", () => {
  it("is removed in every spelling, from fields and trailers, and the truth put in its place", () =>
    withAttackMesh(async ({ port, web, seen, untilQuiet }) => {
      const identity = "x-ripstop-source-identity";
      const lie = "spiffe://test.local/ns/shop/sa/admin";
      const answer = await exchange(
        port,
        `POST / HTTP/1.1\r\nHost: stock\r\nConnection: close, X-Ripstop-Source-Identity\r\nTransfer-Encoding: chunked\r\n` +
          `X-Ripstop-Source-Identity: ${lie}\r\nx_ripstop_source_identity: ${lie}\r\nX-RIPSTOP_source-identity: ${lie}\r\n` +
          `X-Ripstop-Source-Service: shop/admin\r\nX-Ripstop-Anything: x\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n` +
          `0\r\nX-Ripstop-Source-Identity: ${lie}\r\nX_Ripstop_Source_Identity: ${lie}\r\nX-Kept: yes\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 200 /);
      await untilQuiet();
      const [request] = seen;
      assert.ok(request);
      assert.equal(request.headers[identity], web.spiffeId);
      assert.equal(request.rawHeaders.filter((text) => /ripstop/i.test(text)).length, 1);
      assert.ok(!JSON.stringify([request.rawHeaders, request.trailers]).includes("admin"));
      assert.equal(request.trailers["x-kept"], "yes");
      // What others said before stays, the caller's address is added behind it.
      assert.equal(request.headers["x-forwarded-for"], "10.0.0.1, 127.0.0.1");
    }));

  it("may be named like a property of every object", () =>
    withAttackMesh(async ({ port, seen, untilQuiet }) => {
      const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"];
      const fields = names.map((name) => `${name}: x`).join("\r\n");
      const answer = await exchange(port, `GET / HTTP/1.1\r\nHost: stock\r\nConnection: close\r\n${fields}\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 200 /);
      await untilQuiet();
      for (const name of names) assert.ok(seen[0]?.rawHeaders.some((raw) => raw.toLowerCase() === name.toLowerCase()));
      assert.equal(({} as Record<string, unknown>)["x"], undefined);
    }));

  it("an application can not pretend that a proxy refused", () =>
    withAttackMesh(
      async ({ web, stock }) => {
        stock.proxy.onCommand({
          taps: [{ id: "1", sourceService: "", destinationService: "", pathPrefix: "", minStatus: 0, maxPerSecond: 0 }],
        });
        const answer = await fetchVia(web.ports.httpProxy, "http://stock/");
        assert.equal(answer.status, 403);
        assert.equal(answer.headers["x-ripstop-error"], undefined);
        await stock.proxy.close();
        const taps = stock.reports.flatMap((report) => report.taps);
        assert.deepEqual(
          taps.map(({ errorCode }) => errorCode),
          [""],
        );
        assert.equal(
          stock.reports.flatMap((report) => report.edges).reduce((sum, edge) => sum + edge.denied, 0),
          0,
        );
      },
      (_request, response) => {
        response.writeHead(403, { "x-ripstop-error": "RS1102" });
        response.end();
      },
    ));
});

describe("names that clients make up", () => {
  it("do not multiply telemetry: hosts outside the mesh, callers and services are told apart up to a limit", () => {
    const metrics = createMetricRegistry();
    const edges = new EdgeTable(metrics);
    const key = {
      reporter: telemetry.EdgeStats_Reporter.SOURCE,
      sourceService: "shop/web",
      destinationService: "shop/stock",
      sourceIdentity: "",
      destinationIdentity: "",
      destinationVersion: "",
      protocol: "http",
      mutualTls: false,
    };
    const count = (destinationService: string, sourceService = "shop/web"): void =>
      edges.get({ ...key, destinationService, sourceService }).recordRefused(false);
    for (let at = 0; at < 20_000; at++) count(`host-${at}.example`);
    assert.ok(edges.size < 300, String(edges.size));
    for (let at = 0; at < 20_000; at++) count(`shop/service-${at}`, `shop/caller-${at}`);
    assert.ok(edges.size < 10_100, String(edges.size));
    const stats = edges.take();
    assert.equal(
      stats.reduce((sum, edge) => sum + edge.failures, 0),
      40_000,
    );
  });

  it("do not forge lines of metrics", () =>
    withAttackMesh(async ({ web }) => {
      for (const host of ['a"} 1\nforged 1', "a\\", "a{b}", "é.example", "-"]) {
        const answer = await exchange(
          web.ports.httpProxy,
          `GET http://x.invalid/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
        );
        assert.match(answer, /^HTTP\/1\.1 [45]/, host);
      }
      const text = web.proxy.engine.metrics.render();
      assert.doesNotMatch(text, /^forged/m);
    }));
});

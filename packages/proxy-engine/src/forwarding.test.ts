// What a proxy adds, takes away and leaves alone when it passes messages on (RFC 9110, RFC 9112), seen from raw sockets.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { meshEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import { http2Client, TcpClient, tcpApp, type Started } from "./testing/test-peers.suite.ts";

/** What an application made by hand does with the text of a request; `socket` takes the answer. */
type Answer = (request: string, write: (text: string) => void, close: () => void, reset: () => void) => void;

interface Hop {
  /** Sends text to the client's HTTP proxy on a new connection. */
  send(text: string): TcpClient;
  /** The client's HTTP proxy. */
  readonly port: number;
  /** Requests that reached the application, as text, each with its head. */
  readonly seen: readonly string[];
}

/** A client's proxy, a service's proxy, and an application made by hand behind them, called "catalog". */
async function withHop(answer: Answer, run: (hop: Hop) => Promise<void>): Promise<void> {
  const mesh = await TestMesh.create();
  const seen: string[] = [];
  const ends: Started[] = [];
  const clients: TcpClient[] = [];
  try {
    const app = await tcpApp((socket) => {
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        while (text.includes("\r\n\r\n")) {
          const end = text.indexOf("\r\n\r\n") + 4;
          const head = text.slice(0, end);
          text = text.slice(end);
          seen.push(head);
          answer(
            head,
            (bytes) => socket.write(bytes, "latin1"),
            () => socket.end(),
            () => socket.resetAndDestroy(),
          );
        }
      });
    });
    ends.push(app);
    const started = await mesh.start({
      id: "shop/catalog-1",
      service: "shop/catalog",
      ports: [{ port: 8080, applicationPort: app.port }],
    });
    mesh.service("shop/catalog", {
      ports: [{ port: 80 }],
      endpoints: [meshEndpoint("shop/catalog-1", started, { 80: 8080 })],
      resilience: { maxRetries: 3, retryBudgetPercent: 100 },
    });
    const web = await mesh.start({ id: "shop/web-1" });
    await run({
      seen,
      port: web.ports.httpProxy,
      send: (text) => {
        const client = new TcpClient(web.ports.httpProxy);
        clients.push(client);
        client.write(text);
        return client;
      },
    });
  } finally {
    for (const client of clients) client.socket.destroy();
    await mesh.close();
    for (const end of ends) await end.close();
  }
}

const EMPTY = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const HOST = "Host: catalog\r\n";

describe("a message passed on", () => {
  it("keeps its fields, their order, and its query", () =>
    withHop(
      (_request, write) => write("HTTP/1.1 200 OK\r\nX-B: 1\r\nOdd-One: x\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n"),
      async ({ send, seen }) => {
        const client = send(
          `GET http://catalog/a/b?x=%41&y=a+b HTTP/1.1\r\n${HOST}X-A: 1\r\nNever-Heard-Of: y\r\nX-A: 2\r\n\r\n`,
        );
        await client.until("\r\n\r\n");
        assert.match(seen[0] ?? "", /^GET \/a\/b\?x=%41&y=a\+b HTTP\/1\.1\r\nhost: catalog\r\n/);
        assert.match(seen[0] ?? "", /\r\nx-a: 1\r\n[\s\S]*never-heard-of: y\r\n[\s\S]*x-a: 2\r\n/);
        assert.match(client.received, /\r\nx-b: 1\r\n[\s\S]*odd-one: x\r\n[\s\S]*x-b: 2\r\n/);
      },
    ));

  it("keeps credentials and challenges", () =>
    withHop(
      (_request, write) =>
        write(
          'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="a, b"\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n',
        ),
      async ({ send, seen }) => {
        const client = send(`GET http://catalog/ HTTP/1.1\r\n${HOST}Authorization: Basic dTpw==\r\n\r\n`);
        await client.until("\r\n\r\n");
        assert.match(seen[0] ?? "", /\r\nauthorization: Basic dTpw==\r\n/);
        assert.match(client.received, /\r\nwww-authenticate: Basic realm="a, b"\r\nwww-authenticate: Bearer\r\n/);
      },
    ));

  it("carries the proxy's own version, whatever its sender spoke", () =>
    withHop(
      (_request, write, close) => {
        write("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
        close();
      },
      async ({ send, seen }) => {
        const client = send(`GET http://catalog/ HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n`);
        await client.untilEnd();
        assert.match(seen[0] ?? "", /^GET \/ HTTP\/1\.1\r\n/);
        assert.match(client.received, /^HTTP\/1\.1 200 OK\r\nconnection: close\r\n[\s\S]*\r\n\r\nok$/);
      },
    ));

  it("names the :authority of an HTTP/2 client as Host to an HTTP/1.1 application", () =>
    withHop(
      (_request, write) => write(EMPTY),
      async ({ port, seen }) => {
        const session = http2Client(port);
        for (const more of [{}, { host: "catalog" }]) {
          const stream = session.request({ ":authority": "catalog", ":path": "/x", ...more });
          const status = await new Promise((resolve) => {
            stream.on("response", (head) => resolve(head[":status"]));
            stream.on("close", () => resolve(0));
            stream.resume();
          });
          assert.equal(status, 200);
        }
        session.destroy();
        assert.equal(seen.length, 2);
        for (const head of seen) {
          assert.match(head, /^GET \/x HTTP\/1\.1\r\nhost: catalog\r\n/);
          assert.equal(head.toLowerCase().split("host:").length, 2);
        }
      },
    ));

  it("gets a Date when its sender gave it none, and keeps its own", () =>
    withHop(
      (request, write) =>
        write(
          request.startsWith("GET /dated")
            ? "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n"
            : EMPTY,
        ),
      async ({ send }) => {
        const plain = send(`GET http://catalog/ HTTP/1.1\r\n${HOST}\r\n`);
        await plain.until("\r\n\r\n");
        assert.equal(plain.received.match(/\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/g)?.length, 1);
        const dated = send(`GET http://catalog/dated HTTP/1.1\r\n${HOST}\r\n`);
        await dated.until("\r\n\r\n");
        assert.deepEqual(dated.received.match(/\r\ndate: [^\r]*/g), ["\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT"]);
      },
    ));

  it("has no answer of the proxy without a Date", () =>
    withHop(
      () => undefined,
      async ({ send }) => {
        for (const request of [
          "GET http://nobody.invalid/ HTTP/1.1\r\nHost: nobody.invalid\r\n\r\n",
          "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
          `OPTIONS http://catalog/ HTTP/1.1\r\n${HOST}Max-Forwards: 0\r\n\r\n`,
        ]) {
          const client = send(request);
          await client.until("\r\n\r\n");
          assert.match(client.received, /\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/, request);
        }
      },
    ));

  it("loses the fields of its own connection at every hop", () =>
    withHop(
      (_request, write) =>
        write("HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n"),
      async ({ send, seen }) => {
        const client = send(
          `GET http://catalog/ HTTP/1.1\r\n${HOST}Connection: X-Mine\r\nX-Mine: 1\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\n\r\n`,
        );
        await client.until("\r\n\r\n");
        assert.doesNotMatch(seen[0] ?? "", /x-mine|proxy-connection|\r\nte:/i);
        assert.doesNotMatch(client.received, /x-hop|keep-alive/i);
      },
    ));
});

describe("Max-Forwards", () => {
  it("goes down by one at each proxy, for OPTIONS and TRACE alone", () =>
    withHop(
      (_request, write) => write(EMPTY),
      async ({ send, seen }) => {
        for (const method of ["OPTIONS", "TRACE", "GET"]) {
          const client = send(`${method} http://catalog/ HTTP/1.1\r\n${HOST}Max-Forwards: 7\r\n\r\n`);
          await client.until("\r\n\r\n");
        }
        assert.deepEqual(
          seen.map((head) => /\r\nmax-forwards: (\d+)\r\n/.exec(head)?.[1]),
          ["5", "5", "7"],
        );
      },
    ));

  it("makes the proxy answer when it is used up, at the first proxy or the second", () =>
    withHop(
      (_request, write) => write(EMPTY),
      async ({ send, seen }) => {
        for (const left of [0, 1]) {
          const options = send(`OPTIONS http://catalog/ HTTP/1.1\r\n${HOST}Max-Forwards: ${left}\r\n\r\n`);
          await options.until("\r\n\r\n");
          assert.match(options.received, /^HTTP\/1\.1 200 OK\r\n[\s\S]*content-length: 0\r\n/);
          const trace = send(`TRACE http://catalog/ HTTP/1.1\r\n${HOST}Max-Forwards: ${left}\r\n\r\n`);
          await trace.until("\r\n\r\n");
          assert.match(trace.received, /^HTTP\/1\.1 501 [\s\S]*\r\nx-ripstop-error: RS1020\r\n/);
        }
        assert.deepEqual(seen, []);
      },
    ));
});

describe("requests that are not passed on", () => {
  it("are TRACE with a body, and https addresses in clear text", () =>
    withHop(
      (_request, write) => write(EMPTY),
      async ({ send, seen }) => {
        const trace = send(`TRACE http://catalog/ HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`);
        await trace.until("RS1020");
        const https = send("GET https://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        await https.until("RS1021");
        assert.deepEqual(seen, []);
      },
    ));

  it("are answered and then the connection closes when they break the protocol", () =>
    withHop(
      (_request, write) => write(EMPTY),
      async ({ send, seen }) => {
        const client = send(
          `POST http://catalog/ HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n`,
        );
        await client.untilEnd();
        assert.match(client.received, /^HTTP\/1\.1 400 [\s\S]*\r\nconnection: close\r\n/);
        assert.equal(client.received.match(/HTTP\/1\.1/g)?.length, 1);
        assert.deepEqual(seen, []);
      },
    ));
});

describe("responses that break the protocol", () => {
  for (const [what, bytes] of [
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"],
    ["a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
    ["a folded field", "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 0\r\n\r\n"],
    ["a space before a colon", "HTTP/1.1 200 OK\r\nX : 1\r\nContent-Length: 0\r\n\r\n"],
    ["length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ] as const) {
    it(`are answered with 502, and their connection closes: ${what}`, () =>
      withHop(
        (_request, write) => write(bytes),
        async ({ send }) => {
          const client = send(`POST http://catalog/ HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`);
          await client.until("\r\n\r\n");
          assert.match(client.received, /^HTTP\/1\.1 502 /);
          assert.doesNotMatch(client.received, /\r\nx: /);
        },
      ));
  }

  it("that break off are not completed for the client", () =>
    withHop(
      (_request, write, close) => {
        write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        close();
      },
      async ({ send }) => {
        const client = send(`GET http://catalog/ HTTP/1.1\r\n${HOST}\r\n`);
        await client.untilEnd();
        assert.match(client.received, /hello/);
        assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/);
      },
    ));

  for (const [what, head] of [
    ["to a client of HTTP/1.0, which knows no chunks", "GET http://catalog/ HTTP/1.0\r\n"],
    ["in an upgraded connection", "GET http://catalog/ HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n"],
  ] as const) {
    it(`that break off end by a reset, not in order: ${what}`, () => {
      let breakOff = (): void => undefined;
      return withHop(
        (request, write, _close, reset) => {
          breakOff = reset;
          write(
            request.includes("upgrade: x")
              ? "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello"
              : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
          );
        },
        async ({ send }) => {
          const client = send(`${head}${HOST}\r\n`);
          await client.until("hello");
          breakOff();
          await client.untilEnd();
          assert.equal(client.ended, false);
        },
      );
    });
  }
});

describe("requests whose connection breaks before an answer", () => {
  it("are sent once only when they are not idempotent", () =>
    withHop(
      (_request, _write, close) => close(),
      async ({ send, seen }) => {
        const client = send(`POST http://catalog/ HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`);
        await client.until("\r\n\r\n");
        assert.match(client.received, /^HTTP\/1\.1 502 /);
        assert.equal(seen.length, 1);
      },
    ));
});

describe("interim responses", () => {
  it("pass, but for the 100 that the proxy has said itself, and not to HTTP/1.0", () =>
    withHop(
      (request, write) => {
        if (request.startsWith("PUT ")) write("HTTP/1.1 100 Continue\r\n\r\n");
        write(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${EMPTY}`);
      },
      async ({ send, seen }) => {
        const put = send(
          `PUT http://catalog/ HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n`,
        );
        await put.until("100 Continue");
        put.write("0\r\n\r\n");
        await put.until("200 OK");
        assert.equal(put.received.match(/ 100 Continue\r\n/g)?.length, 1);
        assert.match(put.received, /HTTP\/1\.1 103 Early Hints\r\n[^]*link: <\/a\.css>\r\n/);
        assert.doesNotMatch(seen[0] ?? "", /expect/i);
        const old = send(`GET http://catalog/ HTTP/1.0\r\n${HOST}\r\n`);
        await old.untilEnd();
        assert.match(old.received, /^HTTP\/1\.1 200 OK\r\n/);
      },
    ));
});

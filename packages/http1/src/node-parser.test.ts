// Differential test against Node's own parser (llhttp): what Node refuses we refuse, and what both accept means the
// same to both. Where we refuse more than Node is listed by name, so that the list is never out of date.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { traceDecode } from "./decode-trace.suite.ts";
import { readCases } from "./testdata.suite.ts";

/** Requests that Node's parser lets pass (some of them to be judged by the application) and we do not. */
const STRICTER_REQUESTS: ReadonlySet<string> = new Set([
  "A Host that is a list",
  "A Host with a path",
  "A Host with a port out of range",
  "A Host with a port that is no number",
  "A Host with a user name",
  "A Host that is an IPv6 address with a zone",
  "A Host with brackets round a name",
  "A Host with an unclosed bracket",
  "A bare LF before a request is refused",
  "A coding that is not known, chunked last",
  "A fragment in the target",
  "Absolute form and no Host",
  "Absolute form that differs from Host",
  "Absolute form with a user name",
  "Absolute form with another scheme",
  "Absolute form without a host",
  "An empty Host",
  "An empty element before chunked",
  "Another expectation",
  "Asterisk form with another method",
  "CONNECT to another host than Host says",
  "CONNECT with a body",
  "CONNECT with a chunked body",
  "CONNECT with a path",
  "CONNECT without a port",
  "Connection that is no list of names",
  "Connection that nominates without end",
  "Host in trailers",
  "No Host",
  "Transfer-Encoding in HTTP/1.0",
  "Two Hosts",
  "Two Hosts that are equal",
  "Two spaces after the method",
  "Two spaces after the target",
  "Upgrade that is no list of protocols",
]);

/** Requests that we let pass and Node does not, each because Node knows less of HTTP. */
const LOOSER_REQUESTS: ReadonlySet<string> = new Set(["Unknown methods pass, case kept"]);

/** Responses that Node lets pass and we do not. */
const STRICTER_RESPONSES: ReadonlySet<string> = new Set([
  "101 that nobody asked for",
  "101 to another protocol than asked for",
  "A coding that is not known, chunked last",
  "A status out of range",
  "Another version",
  "Chunked not last",
  "Trailers of a response that say how it is framed",
  "Transfer-Encoding in HTTP/1.0",
]);

/** Node's API hands the socket out instead of the body: nothing to compare. */
const NO_BODY_FROM_NODE: ReadonlySet<string> = new Set([
  "Upgrade on a request with a body is ignored",
  "Another answer to CONNECT is a response",
]);

interface Outcome {
  refused: boolean;
  /** "METHOD target body" of each request, or "status body" of each response. */
  readonly messages: string[];
}

describe("requests, read by Node and by us", () => {
  const outcomes = new Map<net.Socket, Outcome>();
  const server = http.createServer({ insecureHTTPParser: false, keepAliveTimeout: 0 });
  let port = 0;

  before(async () => {
    server.on("connection", (socket: net.Socket) => outcomes.set(socket, { refused: false, messages: [] }));
    const outcomeOf = (socket: net.Socket): Outcome => outcomes.get(socket) ?? { refused: true, messages: [] };
    server.on("request", (request, response) => {
      const outcome = outcomeOf(request.socket);
      const at = outcome.messages.push(`${request.method} ${request.url} ?`) - 1;
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        outcome.messages[at] = `${request.method} ${request.url} ${Buffer.concat(chunks).toString("latin1")}`;
        response.end();
      });
      request.on("error", () => undefined);
    });
    server.on("checkContinue", (request, response) => server.emit("request", request, response));
    server.on("checkExpectation", (request, response) => server.emit("request", request, response));
    for (const event of ["upgrade", "connect"] as const) {
      server.on(event, (request: http.IncomingMessage, socket: net.Socket) => {
        outcomeOf(socket).messages.push(`${request.method} ${request.url} `);
        socket.end();
      });
    }
    server.on("clientError", (_error, socket) => {
      outcomeOf(socket as net.Socket).refused = true;
      socket.destroy();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as net.AddressInfo).port;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  async function readByNode(bytes: Buffer): Promise<Outcome> {
    const accepted = once(server, "connection") as Promise<[net.Socket]>;
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    const [served] = await accepted;
    socket.resume();
    socket.end(bytes);
    const outcome = outcomes.get(served);
    if (!served.destroyed) await once(served, "close").catch(() => undefined);
    outcomes.delete(served);
    assert.ok(outcome);
    return outcome;
  }

  function readByUs(bytes: Buffer): Outcome {
    const outcome: Outcome = { refused: false, messages: [] };
    let body = "";
    let open: string | undefined;
    const close = (): void => {
      if (open !== undefined) outcome.messages.push(open + body);
      open = undefined;
      body = "";
    };
    for (const line of traceDecode({ role: "request", isClosed: true }, [bytes])) {
      const [word, method, target] = line.split(" ");
      if (word === "request") {
        close();
        open = `${method} ${target} `;
      } else if (word === "body") body = JSON.parse(line.slice(5)) as string;
      else if (word === "error") outcome.refused = true;
    }
    close();
    return outcome;
  }

  it("agree on every case of testdata, but for the listed ones", async () => {
    const stricter: string[] = [];
    const looser: string[] = [];
    const cases = readCases().filter(
      (one) => one.input.role === "request" && Object.keys(one.input.limits ?? {}).length === 0,
    );
    assert.ok(cases.length > 100);
    for (const one of cases) {
      const node = await readByNode(one.bytes);
      const us = readByUs(one.bytes);
      if (node.refused) {
        if (!us.refused) looser.push(one.title);
      } else if (us.refused) stricter.push(one.title);
      else if (!NO_BODY_FROM_NODE.has(one.title))
        assert.deepEqual(us.messages.map(withoutTarget), node.messages.map(withoutTarget), one.title);
    }
    assert.deepEqual(looser.sort(), [...LOOSER_REQUESTS].sort(), "Node refuses these and we do not");
    assert.deepEqual(stricter.sort(), [...STRICTER_REQUESTS].sort());
  });

  it("agree on valid requests, and on slightly damaged ones", async () => {
    const text = fc.string({ unit: fc.constantFrom(..."abcXYZ019-_ ;=/"), maxLength: 30 });
    const valid = fc.record({
      method: fc.constantFrom("GET", "POST", "PUT", "DELETE"),
      path: fc.string({ unit: fc.constantFrom(..."abc/?&=%20.~"), maxLength: 30 }).map((rest) => `/${rest}`),
      headers: fc.array(fc.tuple(fc.constantFrom("Accept", "X-One", "cookie", "x-y-z"), text), { maxLength: 6 }),
      body: text,
      framing: fc.constantFrom("length", "chunked"),
      damage: fc.option(fc.tuple(fc.nat(), fc.constantFrom(0, 9, 10, 13, 32, 44, 58, 59, 127, 0x0b)), { freq: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(valid, async (one) => {
        const lines = [
          `${one.method} ${one.path} HTTP/1.1`,
          "Host: a",
          ...one.headers.map(([name, value]) => `${name}: ${value}`),
        ];
        let payload = one.body;
        if (one.framing === "length") lines.push(`Content-Length: ${one.body.length}`);
        else {
          lines.push("Transfer-Encoding: chunked");
          payload = `${one.body === "" ? "" : `${one.body.length.toString(16)}\r\n${one.body}\r\n`}0\r\n\r\n`;
        }
        const bytes = Buffer.from(`${lines.join("\r\n")}\r\n\r\n${payload}`, "latin1");
        if (one.damage !== null) bytes[one.damage[0] % bytes.length] = one.damage[1];
        const node = await readByNode(bytes);
        const us = readByUs(bytes);
        if (one.damage === null) assert.equal(us.refused || node.refused, false);
        if (node.refused) assert.equal(us.refused, true, "Node refuses it and we do not");
        else if (!us.refused) assert.deepEqual(us.messages, node.messages);
      }),
      { numRuns: 400 },
    );
  });
});

/** Targets are compared elsewhere: Node hands absolute form and authority form out as they are. */
function withoutTarget(message: string): string {
  return message.replace(/ [^ ]* /, " ");
}

describe("responses, read by Node and by us", () => {
  let bytes: Buffer = Buffer.alloc(0);
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(bytes));
  });
  let port = 0;
  before(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as net.AddressInfo).port;
  });
  after(() => {
    server.close();
  });

  function readByNode(method: string, protocol: string): Promise<Outcome> {
    return new Promise((resolve) => {
      const outcome: Outcome = { refused: false, messages: [] };
      const headers: Record<string, string> = protocol === "" ? {} : { connection: "upgrade", upgrade: protocol };
      const request = http.request({
        port,
        host: "127.0.0.1",
        method,
        path: method === "CONNECT" ? "a:1" : "/",
        headers,
        agent: false,
      });
      request.on("error", () => {
        outcome.refused = true;
      });
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", () => {
          outcome.refused = true;
        });
        response.on("end", () =>
          outcome.messages.push(`${response.statusCode} ${Buffer.concat(chunks).toString("latin1")}`),
        );
      });
      for (const event of ["upgrade", "connect"] as const) {
        request.on(event, (response: http.IncomingMessage, socket: net.Socket) => {
          outcome.messages.push(`${response.statusCode} `);
          socket.destroy();
        });
      }
      request.on("close", () => resolve(outcome));
      request.end();
    });
  }

  it("agree on every case of testdata, but for the listed ones", async () => {
    const stricter: string[] = [];
    const cases = readCases().filter(
      (one) => one.input.role === "response" && Object.keys(one.input.limits ?? {}).length === 0,
    );
    assert.ok(cases.length > 25);
    for (const one of cases) {
      bytes = one.bytes;
      const node = await readByNode(one.input.method ?? "GET", one.input.protocol ?? "");
      const events = traceDecode({ ...one.input, isClosed: true }, [one.bytes]);
      // Bytes behind a response are left alone by the decoder; the connection closes on them.
      const refused = events.some((line) => line.startsWith("error "));
      if (node.refused) {
        assert.ok(
          refused || events.some((line) => line.startsWith("rest ")),
          `Node refuses "${one.title}" and we do not`,
        );
      } else if (refused) stricter.push(one.title);
      else if (!NO_BODY_FROM_NODE.has(one.title)) {
        const status = /^response ([0-9]+)/m.exec(events.join("\n"))?.[1] ?? "";
        const body = events.find((line) => line.startsWith("body "))?.slice(5) ?? '""';
        assert.deepEqual(node.messages, [`${status} ${JSON.parse(body) as string}`], one.title);
      }
    }
    assert.deepEqual(stricter.sort(), [...STRICTER_RESPONSES].sort());
  });
});

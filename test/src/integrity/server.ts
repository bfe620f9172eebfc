// The applications of the integrity run, one per process: HTTP/1.1, HTTP/2 with prior knowledge, raw TCP. Each does its
// half of the plan that comes with the request, and prints one line of JSON for whatever arrived wrong.
//   node server.js h1|h2|tcp        listens on $PORT

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcpServer, Socket } from "node:net";
import type { Duplex, Readable, Writable } from "node:stream";
import { ContentCheck } from "./content.ts";
import { downSeed, type ServerPlan } from "./plan.ts";
import { hardReset, receiveContent, resetStream, sendContent } from "./streams.ts";

const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HTTP2_WINDOW = 4 * 1024 * 1024;

/** Says that something arrived wrong. */
function wrong(plan: ServerPlan, what: string): void {
  process.stdout.write(`${JSON.stringify({ wrong: what, index: plan.index, plan })}\n`);
}

/** Takes the upload; whether it ended cleanly. Wrong bytes are always reported, a short clean end too. */
async function takeUpload(plan: ServerPlan, stream: Readable): Promise<boolean> {
  const check = new ContentCheck(plan.seed);
  const clean = await receiveContent(stream, check, { slow: plan.slowRead });
  if (check.wrongAt !== -1) wrong(plan, `upload differs at ${check.wrongAt}`);
  // A raw TCP connection that was reset may look ended in order, without any proxy too: only its framing would tell.
  const cutUnseen = plan.clientAborts && stream instanceof Socket && check.received < plan.up;
  if (clean && check.received !== plan.up && !cutUnseen)
    wrong(plan, `upload ended cleanly with ${check.received} of ${plan.up} bytes`);
  return clean;
}

/** Sends the answer's body up to the planned cut; false when it was cut. */
function sendDownload(plan: ServerPlan, stream: Writable, cut: () => void): Promise<boolean> {
  return sendContent(stream, {
    seed: downSeed(plan),
    // Never the whole body before the cut: the client would take it for complete, and the connection for good.
    length: plan.abortAt >= 0 ? plan.abortAt : plan.down,
    piece: plan.piece,
    slow: plan.slowWrite,
    before: (sent) => {
      if (plan.abortAt === -1 || sent < plan.abortAt) return true;
      cut();
      return false;
    },
  });
}

function planOf(header: string | readonly string[] | undefined): ServerPlan | undefined {
  return typeof header === "string" ? (JSON.parse(header) as ServerPlan) : undefined;
}

async function serveHttp1(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const plan = planOf(request.headers["x-plan"]);
  if (plan === undefined) {
    response.end("ready");
    return;
  }
  const cut = (): void => {
    if (plan.index % 2 === 0) hardReset(request.socket);
    else request.socket.destroy();
  };
  const upload = takeUpload(plan, request);
  if (plan.answer === "after" && !(await upload)) return;
  if (plan.upTrailers && plan.answer === "after" && request.trailers["x-up-trailer"] !== String(plan.seed))
    wrong(plan, "trailer of the upload is missing");
  if (plan.abortAt === -2) {
    cut();
    return;
  }
  response.setHeader("x-index", plan.index);
  if (plan.chunked && plan.trailers && request.method !== "HEAD") response.setHeader("trailer", "x-down-trailer");
  if (!plan.chunked) response.setHeader("content-length", plan.down);
  response.flushHeaders();
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  if (!(await sendDownload(plan, response, cut))) return;
  if (plan.answer !== "after" && !(await upload)) return;
  if (plan.chunked && plan.trailers) response.addTrailers({ "x-down-trailer": String(plan.seed) });
  response.end();
}

function upgradeHttp1(request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on("error", () => undefined);
  const plan = planOf(request.headers["x-plan"]);
  const key = request.headers["sec-websocket-key"];
  if (plan === undefined || key === undefined) {
    socket.destroy();
    return;
  }
  const accept = createHash("sha1").update(`${key}${WEBSOCKET_GUID}`).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  void serveTunnel(plan, socket, () => socket.destroy());
}

async function serveHttp2(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
  stream.on("error", () => undefined);
  const plan = planOf(headers["x-plan"]);
  if (plan === undefined) {
    stream.respond({ ":status": 200 });
    stream.end("ready");
    return;
  }
  const cut = (): void => resetStream(stream);
  if (headers[":method"] === "CONNECT") {
    stream.respond({ ":status": 200 });
    await serveTunnel(plan, stream, cut);
    return;
  }
  let trailer: unknown;
  stream.on("trailers", (trailers) => (trailer = trailers["x-up-trailer"]));
  const upload = takeUpload(plan, stream);
  if (plan.answer === "after" && !(await upload)) return;
  if (plan.upTrailers && plan.answer === "after" && trailer !== String(plan.seed))
    wrong(plan, "trailer of the upload is missing");
  if (plan.abortAt === -2) {
    cut();
    return;
  }
  if (stream.destroyed) return;
  const head = { ":status": 200, "x-index": plan.index, ...(plan.chunked ? {} : { "content-length": plan.down }) };
  if (headers[":method"] === "HEAD") {
    stream.respond(head, { endStream: true });
    return;
  }
  const trailers = plan.chunked && plan.trailers;
  stream.respond(head, { waitForTrailers: trailers });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-down-trailer": String(plan.seed) }));
  if (!(await sendDownload(plan, stream, cut))) return;
  if (plan.answer !== "after" && !(await upload)) return;
  if (!stream.destroyed) stream.end();
}

/** A tunnel: takes `up` bytes, gives `down` bytes; ends its half when both are done. */
async function serveTunnel(plan: ServerPlan, stream: Duplex, cut: () => void): Promise<void> {
  const check = new ContentCheck(plan.seed);
  const arrived = new Promise<void>((resolve) => {
    const look = (): void => {
      if (check.received >= plan.up) resolve();
    };
    void receiveContent(stream, check, { slow: plan.slowRead, onBytes: look }).then((clean) => {
      if (check.wrongAt !== -1) wrong(plan, `tunnel upload differs at ${check.wrongAt}`);
      if (clean && check.received > plan.up) wrong(plan, `tunnel gave ${check.received} of ${plan.up} bytes`);
      // A client that went away without a reset looks half closed: no tunnel is kept for it, as no real server does.
      if (check.received < plan.up) cut();
    });
    look();
  });
  if (plan.answer === "after") await arrived;
  if (plan.abortAt === -2) {
    cut();
    return;
  }
  if (!(await sendDownload(plan, stream, cut))) return;
  await arrived;
  stream.end();
}

/** Raw TCP: four bytes of length, the plan, then the upload until the client's FIN. */
function serveTcp(socket: Socket): void {
  let head: Buffer = Buffer.alloc(0);
  socket.on("error", () => undefined);
  const onHead = (bytes: Buffer): void => {
    head = Buffer.concat([head, bytes]);
    if (head.length < 4 || head.length < 4 + head.readUInt32BE(0)) return;
    socket.off("data", onHead);
    socket.pause();
    const end = 4 + head.readUInt32BE(0);
    const plan = JSON.parse(head.toString("latin1", 4, end)) as ServerPlan;
    if (head.length > end) socket.unshift(head.subarray(end));
    void converse(plan, socket);
    socket.resume();
  };
  socket.on("data", onHead);
  socket.on("end", () => {
    if (head.length === 0) socket.end();
  });
}

async function converse(plan: ServerPlan, socket: Socket): Promise<void> {
  const cut = (): void => hardReset(socket);
  const upload = takeUpload(plan, socket);
  if (plan.answer === "after" && !(await upload)) return;
  if (plan.abortAt === -2) {
    cut();
    return;
  }
  if (!(await sendDownload(plan, socket, cut))) return;
  if (plan.answer === "early" || (await upload)) socket.end();
}

const port = Number(process.env["PORT"]);
switch (process.argv[2]) {
  case "h1": {
    const server = createServer((request, response) => {
      request.on("error", () => undefined);
      response.on("error", () => undefined);
      void serveHttp1(request, response);
    });
    // An idle connection that is closed just as a request comes is a failure that no proxy can hide for a POST.
    server.keepAliveTimeout = 0;
    server.requestTimeout = 0;
    server.on("upgrade", upgradeHttp1);
    server.listen(port, "127.0.0.1");
    break;
  }
  case "h2": {
    const server = createHttp2Server({ settings: { enableConnectProtocol: true, initialWindowSize: 128 * 1024 } });
    server.on("session", (session) => {
      session.setLocalWindowSize(HTTP2_WINDOW);
      session.on("error", () => undefined);
    });
    server.on("stream", (stream, headers) => void serveHttp2(stream, headers));
    server.listen(port, "127.0.0.1");
    break;
  }
  default:
    createTcpServer({ allowHalfOpen: true }, serveTcp).listen(port, "127.0.0.1");
}
process.on("SIGTERM", () => process.exit(0));

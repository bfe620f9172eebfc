// The backend of all cases: one port that speaks HTTP/1.1, HTTP/2, gRPC, WebSocket, TLS and plain text, told apart by the first
// bytes, and answers what it was asked, as JSON in the shape of upstream's echo-basic.
// Argument: name. Environment: PORT; TLS_KEY and TLS_CERT (PEM) for TLS.

import { createHash } from "node:crypto";
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { createServer, type Socket } from "node:net";
import { createServer as createTls, type TLSSocket } from "node:tls";

/** What was asked. */
export interface Echo {
  readonly path: string;
  readonly host: string;
  readonly method: string;
  readonly proto: string;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** Backend's name and two more parts, as pods have it. */
  readonly pod: string;
  /** There, when it was asked over TLS of its own. */
  readonly tls?: {
    readonly serverName: string;
    readonly negotiatedProtocol: string;
    /** Names in the client's certificate; "" without one. */
    readonly clientNames: string;
  };
}

const [name = "backend"] = process.argv.slice(2);
/** TLS connections by the port of their client. */
const secure = new Map<number, TLSSocket>();
/** Requests so far by "x-echo-key", for backends that fail at first. */
const seen = new Map<string, number>();

function fields(headers: IncomingMessage["headers"]): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([field]) => !field.startsWith(":"))
      .map(([field, value = ""]) => [field, Array.isArray(value) ? value : [value]]),
  );
}

function echo(request: IncomingMessage | Http2ServerRequest): Echo {
  const { headers } = request;
  return {
    path: request.url ?? "",
    host: headers[":authority"]?.toString() ?? headers.host ?? "",
    method: request.method ?? "",
    proto: `HTTP/${request.httpVersion}`,
    headers: fields(headers),
    pod: `${name}-0-0`,
    ...tlsFacts(request.socket),
  };
}

function tlsFacts(socket: Socket): Pick<Echo, "tls"> {
  // Of HTTP/2 it is a stand-in for the socket, which has its fields.
  const known = secure.get(socket.remotePort ?? 0);
  if (known === undefined) return {};
  const { servername, alpnProtocol } = known;
  const certificate = known.getPeerCertificate();
  return {
    tls: {
      serverName: typeof servername === "string" ? servername : "",
      negotiatedProtocol: typeof alpnProtocol === "string" ? alpnProtocol : "",
      clientNames: Object.keys(certificate).length === 0 ? "" : (certificate.subjectaltname ?? ""),
    },
  };
}

/** 200, or what "x-echo-status" asks for, for the first "x-echo-failures" requests of a key. */
function statusFor({ headers }: IncomingMessage | Http2ServerRequest): number {
  const wanted = Number(headers["x-echo-status"] ?? 200);
  const failures = headers["x-echo-failures"];
  if (failures === undefined) return wanted;
  const key = String(headers["x-echo-key"]);
  const before = seen.get(key) ?? 0;
  seen.set(key, before + 1);
  return before < Number(failures) ? wanted : 200;
}

function answer(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void {
  const told = echo(request);
  console.log(`asked ${told.method} ${told.host} ${told.path}`);
  request.resume();
  // The two kinds of response have the same methods with types that do not unite.
  const out = response as ServerResponse;
  for (const field of String(request.headers["x-echo-set-header"] ?? "").split(",")) {
    const colon = field.indexOf(":");
    if (colon > 0) out.setHeader(field.slice(0, colon).trim(), field.slice(colon + 1).trim());
  }
  const send = (): void => {
    if (request.headers["content-type"] === "application/grpc") {
      const text = Buffer.from(JSON.stringify(told));
      const head = Buffer.alloc(5);
      head.writeUInt32BE(text.length, 1);
      out.setHeader("content-type", "application/grpc");
      out.addTrailers({ "grpc-status": "0" });
      out.end(Buffer.concat([head, text]));
      return;
    }
    out.statusCode = statusFor(request);
    out.setHeader("content-type", "application/json");
    out.end(JSON.stringify(told));
  };
  const delayMs = Number(request.headers["x-echo-delay"] ?? 0);
  if (delayMs > 0) setTimeout(send, delayMs);
  else send();
}

const http1 = createHttp(answer).on("upgrade", (request: IncomingMessage, socket: Socket) => {
  const accept = createHash("sha1")
    .update(`${request.headers["sec-websocket-key"] ?? ""}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  socket.on("error", () => socket.destroy());
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
  );
  // One unmasked text frame with the echo.
  const text = Buffer.from(JSON.stringify(echo(request)));
  socket.write(Buffer.concat([Buffer.from([0x81, 126, text.length >> 8, text.length & 255]), text]));
});
const http2 = createHttp2(answer);
/** Goes on with a connection by its first bytes. */
function serve(socket: Socket, greeting: string): void {
  socket.on("error", () => socket.destroy());
  socket.once("readable", () => {
    const first: unknown = socket.read();
    if (!(first instanceof Buffer)) return;
    socket.unshift(first);
    const start = first.toString("latin1", 0, 24);
    if (start.startsWith("PRI * HTTP/2")) http2.emit("connection", socket);
    else if (first[0] === 0x16) inTls.emit("connection", socket);
    else if (/^[A-Z]+ [^ ]/.test(start)) http1.emit("connection", socket);
    else socket.once("data", (line) => socket.end(`${name} ${greeting}got ${line.toString()}`));
  });
}

const inTls = createTls(
  {
    key: process.env["TLS_KEY"],
    cert: process.env["TLS_CERT"],
    ALPNProtocols: ["h2", "http/1.1"],
    // Who asks shows what it has; the cases look whether that is right.
    requestCert: true,
    rejectUnauthorized: false,
  },
  (socket) => {
    const { remotePort = 0 } = socket;
    secure.set(remotePort, socket);
    socket.once("close", () => secure.delete(remotePort));
    serve(socket, "over TLS ");
  },
);

createServer((socket) => serve(socket, "")).listen(Number(process.env["PORT"]), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));

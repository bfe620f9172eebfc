// Asks a Gateway as a client outside of the mesh does: HTTP/1.1, HTTPS, HTTP/2, gRPC, WebSocket, TLS and plain TCP.

import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { connect as http2Connect } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect as netConnect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";

import type { Seen } from "./answer.ts";
import type { Ask } from "./case.ts";

/** Where to connect. */
export interface Place {
  readonly address: string;
  readonly port: number;
  /** Host field unless the request has one. */
  readonly host: string;
  /** Roots to believe (PEM); undefined believes everybody. */
  readonly roots?: string;
  /** The client's own certificate. */
  readonly client?: { readonly cert: string; readonly key: string };
}

const GIVE_UP_MS = 15_000;

/** Sends one request; never rejects: a connection that failed has status 0 and says why in its body. */
export function ask(request: Ask, place: Place): Promise<Seen> {
  return new Promise<Seen>((resolve) => {
    const open: { end?: () => void } = {};
    const timer = setTimeout(() => done(failed("no answer in time")), GIVE_UP_MS);
    const done = (seen: Seen): void => {
      clearTimeout(timer);
      open.end?.();
      resolve(seen);
    };
    switch (request.scheme) {
      case "h2c":
      case "grpc":
        open.end = askHttp2(request, place, done);
        return;
      case "tcp":
      case "tls":
        open.end = askStream(request, place, done);
        return;
      default:
        open.end = askHttp1(request, place, done);
    }
  });
}

type Done = (seen: Seen) => void;

function failed(why: unknown): Seen {
  return { status: 0, headers: {}, body: String(why) };
}

function tlsOptions(request: Ask, { host, roots, client }: Place): object {
  const name = request.sni ?? (request.host ?? host).replace(/:\d+$/, "");
  return {
    servername: name,
    // Hosts of the cases are directly below a top-level name, where Node takes no wildcard: the chain alone is verified.
    ...(roots === undefined ? { rejectUnauthorized: false } : { ca: roots, checkServerIdentity: () => undefined }),
    ...client,
  };
}

function askHttp1(request: Ask, place: Place, done: Done): () => void {
  const { method = "GET", path = "/", headers = {}, body, scheme } = request;
  const upgrade =
    scheme === "ws"
      ? {
          connection: "Upgrade",
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
      : {};
  const common = {
    host: place.address,
    port: place.port,
    method,
    path,
    agent: false as const,
    headers: { host: request.host ?? place.host, ...upgrade, ...headers },
  };
  const outgoing: ClientRequest =
    scheme === "https" ? httpsRequest({ ...common, ...tlsOptions(request, place) }) : httpRequest(common);
  outgoing.on("error", (error) => done(failed(error)));
  outgoing.on("response", (response: IncomingMessage) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => (text += chunk));
    response.on("error", (error) => done(failed(error)));
    response.on("end", () => done({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
  });
  // After an upgrade the connection is the request's no more.
  let upgraded: Socket | undefined;
  outgoing.on("upgrade", (response: IncomingMessage, socket: Socket, head: Buffer) => {
    upgraded = socket;
    let frame = head;
    const look = (): void => {
      // One text frame of 126 ... 65 535 bytes, as the backend sends it.
      if (frame.length < 4 || frame.length < 4 + frame.readUInt16BE(2)) return;
      done({ status: response.statusCode ?? 0, headers: response.headers, body: frame.toString("utf8", 4) });
    };
    socket.on("error", (error) => done(failed(error)));
    socket.on("data", (chunk: Buffer) => {
      frame = Buffer.concat([frame, chunk]);
      look();
    });
    look();
  });
  outgoing.end(body);
  return () => {
    outgoing.destroy();
    upgraded?.destroy();
  };
}

function askHttp2(request: Ask, place: Place, done: Done): () => void {
  const { path = "/", headers = {}, body, scheme } = request;
  const grpc = scheme === "grpc";
  const session = http2Connect(`http://${place.address}:${place.port}`);
  session.on("error", (error) => done(failed(error)));
  const stream = session.request({
    ":method": grpc ? "POST" : (request.method ?? "GET"),
    ":path": path,
    ":authority": request.host ?? place.host,
    ...(grpc ? { "content-type": "application/grpc", te: "trailers" } : {}),
    ...headers,
  });
  let status = 0;
  let fields: Seen["headers"] = {};
  let trailer: unknown;
  const chunks: Buffer[] = [];
  stream.on("error", (error) => done(failed(error)));
  stream.on("response", (head) => {
    status = Number(head[":status"]);
    fields = head;
    trailer ??= head["grpc-status"];
  });
  stream.on("trailers", (trailers) => (trailer = trailers["grpc-status"]));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => {
    const all = Buffer.concat(chunks);
    const text = grpc ? all.toString("utf8", 5) : all.toString("utf8");
    done({ status, headers: fields, body: text, ...(trailer === undefined ? {} : { grpc: Number(trailer) }) });
  });
  stream.end(grpc ? Buffer.alloc(5) : body);
  return () => session.destroy();
}

function askStream(request: Ask, place: Place, done: Done): () => void {
  const options = { host: place.address, port: place.port };
  const socket: Socket =
    request.scheme === "tls" ? tlsConnect({ ...options, ...tlsOptions(request, place) }) : netConnect(options);
  let text = "";
  socket.setEncoding("utf8");
  socket.on("error", (error) => done(failed(error)));
  socket.on("data", (chunk: string) => (text += chunk));
  socket.on("close", () =>
    done(text === "" ? failed("closed without an answer") : { status: 200, headers: {}, body: text }),
  );
  socket.write(`${request.path ?? "hello"}\n`);
  return () => socket.destroy();
}

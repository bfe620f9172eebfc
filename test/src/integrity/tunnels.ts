// Byte tunnels: WebSocket over HTTP/1.1 and over HTTP/2 (RFC 8441), and raw TCP with half-close.

import { request as httpRequest } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ContentCheck } from "./content.ts";
import type { Way } from "./http-exchange.ts";
import type { Seen } from "./outcome.ts";
import { downSeed, type Plan } from "./plan.ts";
import { hardReset, receiveContent, resetStream, sendContent } from "./streams.ts";

const CANCEL = 8;

function failed(plan: Plan, status: number, detail: string): Seen {
  return {
    status,
    clean: false,
    check: new ContentCheck(downSeed(plan.server)),
    trailer: undefined,
    sized: false,
    detail,
  };
}

/** Over HTTP/1.1. */
export function webSocketHttp1(plan: Plan, way: Way): Promise<Seen> {
  return new Promise((resolve) => {
    const request = httpRequest({
      host: "127.0.0.1",
      port: way.port,
      path: way.path,
      agent: false,
      headers: {
        host: way.host,
        connection: "upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "x-plan": JSON.stringify(plan.server),
      },
    });
    request.on("upgrade", (_response, socket: Duplex, head: Buffer) => {
      if (head.length > 0) socket.unshift(head);
      resolve(converse(plan, socket, 101, () => socket.destroy()));
    });
    request.on("response", (response) => {
      response.resume();
      resolve(failed(plan, response.statusCode ?? 0, "not upgraded"));
    });
    request.on("error", (error) => resolve(failed(plan, 0, error.message)));
    request.on("close", () => resolve(failed(plan, 0, "closed")));
    request.end();
  });
}

/** Over HTTP/2, by extended CONNECT. */
export async function webSocketHttp2(plan: Plan, way: Way, session: ClientHttp2Session): Promise<Seen> {
  if (session.remoteSettings.enableConnectProtocol !== true)
    await new Promise((resolve) => session.once("remoteSettings", resolve));
  const stream = session.request(
    {
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":path": way.path,
      ":authority": way.host,
      "sec-websocket-version": "13",
      "x-plan": JSON.stringify(plan.server),
    },
    { endStream: false },
  );
  let detail = "";
  const status = await new Promise<number>((resolve) => {
    stream.on("response", (headers) => resolve(headers[":status"] ?? 0));
    stream.on("error", (error) => {
      detail = error.message;
      resolve(0);
    });
    stream.on("close", () => resolve(0));
  });
  if (status !== 200) {
    stream.close(CANCEL);
    return failed(plan, status, detail);
  }
  return converse(plan, stream, 200, () => resetStream(stream));
}

/** Raw TCP to the declared upstream, or by CONNECT at the HTTP proxy. */
export async function overTcp(plan: Plan, way: Way): Promise<Seen> {
  const socket: Socket = connect({ port: way.port, host: "127.0.0.1", allowHalfOpen: true });
  if (plan.client === "proxy") {
    socket.write(`CONNECT ${way.host}:80 HTTP/1.1\r\nhost: ${way.host}:80\r\n\r\n`);
    const refused = await connectAnswer(socket);
    if (refused !== undefined) return failed(plan, 0, refused);
  }
  const head = Buffer.from(JSON.stringify(plan.server), "latin1");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  socket.write(Buffer.concat([length, head]));
  return converse(plan, socket, 200, () => hardReset(socket));
}

/** Reads the answer to CONNECT; what is wrong with it, or undefined. */
function connectAnswer(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    let held: Buffer = Buffer.alloc(0);
    const onData = (bytes: Buffer): void => {
      held = Buffer.concat([held, bytes]);
      const end = held.indexOf("\r\n\r\n");
      if (end === -1) return;
      socket.off("data", onData);
      socket.pause();
      if (held.length > end + 4) socket.unshift(held.subarray(end + 4));
      const line = held.toString("latin1", 0, held.indexOf("\r\n"));
      resolve(line.startsWith("HTTP/1.1 200 ") ? undefined : line);
    };
    socket.on("data", onData);
    socket.on("error", (error) => resolve(error.message));
    socket.on("close", () => resolve("closed"));
  });
}

async function converse(plan: Plan, stream: Duplex, status: number, cut: () => void): Promise<Seen> {
  const { server } = plan;
  const check = new ContentCheck(downSeed(server));
  let sentBytes = 0;
  let detail = "";
  stream.on("error", (error: Error) => (detail = error.message));
  const look = (): boolean => {
    if (plan.abortAt === -1 || sentBytes + check.received < plan.abortAt) return true;
    cut();
    return false;
  };
  const received = receiveContent(stream, check, { slow: plan.slowRead, onBytes: look });
  stream.resume();
  const sent = await sendContent(stream, {
    seed: server.seed,
    length: server.up,
    piece: plan.piece,
    slow: plan.slowWrite,
    before: (bytes) => {
      sentBytes = bytes;
      return look();
    },
  });
  // Raw TCP is half-closed after the upload; a WebSocket stays open until the server ends it.
  if (sent && plan.kind === "tcp") stream.end();
  const clean = await received;
  if (!stream.destroyed && !stream.writableEnded) stream.end();
  return { status, clean, check, trailer: undefined, sized: false, detail };
}

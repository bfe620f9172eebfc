// A connection to the HTTP proxy: each request says where it goes. HTTP/1.1, or HTTP/2 with prior knowledge.

import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import { WheelTimer, type CloseCause, type Conn, type ConnHandler } from "@ripstop/net";
import { FIRST_BYTE_TIMEOUT_MS } from "../settings.ts";
import { ConnectRequest } from "./connect-request.ts";
import type { RequestAcceptor } from "./http-sessions.ts";
import type { OutboundContext } from "./outbound-context.ts";
import { OutboundAcceptor, serveOutboundHttp } from "./outbound-http.ts";

class ProxyAcceptor implements RequestAcceptor {
  readonly #context: OutboundContext;
  readonly #requests: OutboundAcceptor;

  constructor(context: OutboundContext) {
    this.#context = context;
    this.#requests = new OutboundAcceptor(context, undefined);
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    if (head.method !== "CONNECT") return this.#requests.onRequest(stream, head, end);
    const tunnel = new ConnectRequest(this.#context, stream, head);
    tunnel.start();
    return tunnel;
  }
}

const PREFACE_START: Buffer = Buffer.from("PRI * HTTP/2", "latin1");

/** Serves the connection once its first bytes say which version it speaks. */
export class ProxyConnection implements ConnHandler {
  readonly #context: OutboundContext;
  readonly #conn: Conn;
  readonly #deadline: WheelTimer;

  constructor(context: OutboundContext, conn: Conn) {
    this.#context = context;
    this.#conn = conn;
    this.#deadline = new WheelTimer(() => conn.destroy());
    context.engine.wheel.schedule(this.#deadline, FIRST_BYTE_TIMEOUT_MS);
    conn.handler = this;
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    this.#context.engine.wheel.cancel(this.#deadline);
    // Clients send the 24-byte preface in one piece.
    const preface = start + PREFACE_START.length;
    const http2 = end >= preface && PREFACE_START.equals(buf.subarray(start, preface));
    serveOutboundHttp(this.#context, this.#conn, { acceptor: new ProxyAcceptor(this.#context), http2 }).onBytes(
      buf,
      start,
      end,
    );
  }

  onEnd(): void {
    this.#conn.destroy();
  }

  onDrain(): void {}

  onClose(_cause: CloseCause): void {
    this.#context.engine.wheel.cancel(this.#deadline);
  }
}

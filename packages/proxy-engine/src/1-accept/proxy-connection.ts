// A connection to the HTTP proxy: each request says where it goes. HTTP/1.1, or HTTP/2 with prior knowledge. TLS that comes
// without a CONNECT goes where its server name says.

import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import {
  ClientHelloReader,
  MAX_HELLO_RECORD_BYTES,
  WheelTimer,
  type CloseCause,
  type Conn,
  type ConnHandler,
} from "@ripstop/net";
import { OutboundConnection } from "../3-detect/outbound-connection.ts";
import { FIRST_BYTE_TIMEOUT_MS, HEAD_TIMEOUT_MS } from "../settings.ts";
import { ConnectRequest } from "./connect-request.ts";
import type { RequestAcceptor } from "./http-session.ts";
import type { OutboundContext } from "./outbound-context.ts";
import { OutboundAcceptor, serveOutboundHttp } from "./outbound-http.ts";

class ProxyAcceptor implements RequestAcceptor {
  readonly #context: OutboundContext;
  readonly #requests: OutboundAcceptor;

  constructor(context: OutboundContext, conn: Conn) {
    this.#context = context;
    this.#requests = new OutboundAcceptor(context, undefined, conn);
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    if (head.method !== "CONNECT") return this.#requests.onRequest(stream, head, end);
    const tunnel = new ConnectRequest(this.#context, stream, head);
    tunnel.start();
    return tunnel;
  }
}

const PREFACE_START: Buffer = Buffer.from("PRI * HTTP/2", "latin1");

const TLS_HANDSHAKE = 22;
/** The port of TLS where nothing says which (RFC 9110 section 4.2.2). */
const TLS_PORT = 443;

/** TLS of the application: goes to the host of its server name, once the whole ClientHello is there. */
class ServerNameConnection implements ConnHandler {
  readonly #context: OutboundContext;
  readonly #conn: Conn;
  readonly #deadline: WheelTimer;
  readonly #hello = new ClientHelloReader();
  #memory: Buffer = Buffer.alloc(0);
  #held = 0;

  constructor(context: OutboundContext, conn: Conn) {
    this.#context = context;
    this.#conn = conn;
    this.#deadline = new WheelTimer(() => conn.destroy());
    context.engine.wheel.schedule(this.#deadline, HEAD_TIMEOUT_MS);
    conn.handler = this;
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    const state = this.#hello.feed(buf, start, end);
    const length = this.#held + end - start;
    if (length > this.#memory.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#memory.length));
      this.#memory.copy(grown, 0, 0, this.#held);
      this.#memory = grown;
    }
    buf.copy(this.#memory, this.#held, start, end);
    this.#held = length;
    if (state === "more" && length <= MAX_HELLO_RECORD_BYTES) return;
    this.#context.engine.wheel.cancel(this.#deadline);
    const serverName = this.#hello.hello?.serverName ?? "";
    if (serverName === "") {
      this.#context.engine.log.warn("connection refused", {
        cause: "TLS to the HTTP proxy, without CONNECT and without a server name that says where it goes",
      });
      this.#conn.destroy();
      return;
    }
    const target = { host: serverName, port: TLS_PORT, byServerName: true };
    new OutboundConnection(this.#context, this.#conn, target).onBytes(this.#memory, 0, length);
  }

  onEnd(): void {
    this.#conn.destroy();
  }

  onDrain(): void {}

  onClose(_cause: CloseCause): void {
    this.#context.engine.wheel.cancel(this.#deadline);
  }
}

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
    if (buf[start] === TLS_HANDSHAKE) {
      new ServerNameConnection(this.#context, this.#conn).onBytes(buf, start, end);
      return;
    }
    // Clients send the 24-byte preface in one piece.
    const preface = start + PREFACE_START.length;
    const http2 = end >= preface && PREFACE_START.equals(buf.subarray(start, preface));
    serveOutboundHttp(this.#context, this.#conn, {
      acceptor: new ProxyAcceptor(this.#context, this.#conn),
      http2,
    }).onBytes(buf, start, end);
  }

  onEnd(): void {
    this.#conn.destroy();
  }

  onDrain(): void {}

  onClose(_cause: CloseCause): void {
    this.#context.engine.wheel.cancel(this.#deadline);
  }
}

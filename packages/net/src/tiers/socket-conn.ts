// A connection on a net.Socket or TLSSocket through its public interface.

import type { Socket } from "node:net";
import { CLEAN_CLOSE, CLOSED_HERE, causeOf } from "../close-cause.ts";
import type { ProxyAddresses } from "../proxy-protocol/proxy-header.ts";
import type { CloseCause, Conn, ConnHandler, TlsInfo } from "../conn.ts";

/** How a SocketConn differs from the plain case. */
export interface SocketConnOptions {
  /** For TLS sockets. */
  readonly tls?: TlsInfo | undefined;
  /** `write` returns true up to so many queued bytes; 0 where writes complete at once. */
  readonly highWaterBytes?: number;
  /** The socket delivers bytes by `deliver` (the `onread` option) and not by 'data' events. */
  readonly delivered?: boolean;
  /** What a PROXY protocol header told; default the socket's own addresses. */
  readonly addresses?: ProxyAddresses | undefined;
  /** Called once, when the connection is gone. */
  readonly onGone?: () => void;
}

/** Owns `socket`, which must have `allowHalfOpen`. */
export class SocketConn implements Conn {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly proxied: boolean;
  readonly tls: TlsInfo | undefined;
  readonly #socket: Socket;
  readonly #highWaterBytes: number;
  readonly #delivered: boolean;
  readonly #onWritten: () => void;
  readonly #onGone: (() => void) | undefined;
  #handler: ConnHandler | undefined;
  #cause: CloseCause = CLEAN_CLOSE;
  #started = false;
  #ended = false;
  #destroyed = false;
  #closed = false;
  #blocked = false;

  constructor(socket: Socket, options: SocketConnOptions = {}) {
    this.#socket = socket;
    this.#highWaterBytes = options.highWaterBytes ?? 0;
    this.#delivered = options.delivered ?? false;
    this.#onGone = options.onGone;
    this.tls = options.tls;
    const { source, destination } = options.addresses ?? {};
    this.proxied = source !== undefined;
    this.remoteAddress = source?.address ?? socket.remoteAddress ?? "";
    this.remotePort = source?.port ?? socket.remotePort ?? 0;
    this.localAddress = destination?.address ?? socket.localAddress ?? "";
    this.localPort = destination?.port ?? socket.localPort ?? 0;
    this.#onWritten = () => this.#written();
    socket.on("error", (error) => {
      if (!this.#destroyed) this.#cause = causeOf(error);
      // A plain socket does so itself; a TLS socket reports OpenSSL's complaints and stays open.
      socket.destroy();
    });
    socket.on("close", () => this.#close());
  }

  get handler(): ConnHandler | undefined {
    return this.#handler;
  }

  set handler(handler: ConnHandler | undefined) {
    this.#handler = handler;
    if (this.#started || handler === undefined) return;
    this.#started = true;
    const socket = this.#socket;
    socket.on("end", () => {
      if (!this.#destroyed) this.#handler?.onEnd();
    });
    if (!this.#delivered) socket.on("data", (chunk: Buffer) => this.deliver(chunk, 0, chunk.length));
    socket.resume();
    if (this.#closed) queueMicrotask(() => this.#handler?.onClose(this.#cause));
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Received bytes, for sockets made with the `onread` option. */
  deliver(buf: Buffer, start: number, end: number): void {
    if (!this.#destroyed) this.#handler?.onBytes(buf, start, end);
  }

  write(buf: Buffer, start: number, end: number): boolean {
    if (this.#ended || this.#destroyed || end <= start) return true;
    // The stream keeps a reference to what the kernel does not take, and tells only afterwards: copy first.
    this.#socket.write(Buffer.from(buf.subarray(start, end)), this.#onWritten);
    if (this.#socket.writableLength <= this.#highWaterBytes) return true;
    this.#blocked = true;
    return false;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#destroyed) this.#socket.resume();
  }

  end(): void {
    if (this.#ended || this.#destroyed) return;
    this.#ended = true;
    this.#socket.end();
  }

  destroy(reset: boolean = false): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#cause = CLOSED_HERE;
    // resetAndDestroy knows TCP handles only; TLS and Unix sockets are closed, which drops queued bytes too.
    // After `end` a reset fails while the FIN is on its way, and Node then never closes the handle.
    if (reset && !this.#ended && this.tls === undefined && this.remotePort !== 0) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  #written(): void {
    if (!this.#blocked || this.#destroyed || this.#socket.writableLength !== 0) return;
    this.#blocked = false;
    this.#handler?.onDrain();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#destroyed = true;
    this.#onGone?.();
    if (this.#started) this.#handler?.onClose(this.#cause);
  }
}

// A tunnel's HTTP stream (CONNECT, RFC 9110 §9.3.6) seen as a connection, so that one splice serves every kind of pair.

import { StreamErrorCode, type HeaderList, type HttpStream, type HttpStreamHandler } from "@ripstop/http";
import type { CloseCause, Conn, ConnHandler, TlsInfo } from "@ripstop/net";

/** Where the stream comes from. */
export interface StreamOrigin {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TlsInfo | undefined;
}

const CLEAN: CloseCause = { code: "", message: "closed in order" };

/** A byte connection over one stream whose tunnel is open. Hand it the stream's events through `events`. */
export class StreamConn implements Conn, HttpStreamHandler {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TlsInfo | undefined;
  readonly #stream: HttpStream;
  #handler: ConnHandler | undefined;
  #paused = false;
  /** Received bytes that the peer was not yet told are used. */
  #withheld = 0;
  /** Bytes that came before there was a handler. */
  #early: Buffer[] = [];
  #writeBlocked = false;
  #sentEnd = false;
  #gotEnd = false;
  #endDelivered = false;
  #closed = false;

  constructor(stream: HttpStream, origin: StreamOrigin) {
    this.#stream = stream;
    this.remoteAddress = origin.remoteAddress;
    this.remotePort = origin.remotePort;
    this.localAddress = origin.localAddress;
    this.localPort = origin.localPort;
    this.tls = origin.tls;
  }

  get handler(): ConnHandler | undefined {
    return this.#handler;
  }

  set handler(handler: ConnHandler | undefined) {
    this.#handler = handler;
    if (handler !== undefined) this.#deliverEarly();
  }

  /** 1 while the stream holds bytes back, 0 otherwise: the stream itself knows the number. */
  get queuedBytes(): number {
    return this.#writeBlocked ? 1 : 0;
  }

  write(buf: Buffer, start: number, end: number): boolean {
    if (this.#closed || this.#sentEnd) return true;
    this.#writeBlocked = !this.#stream.sendBody(buf, start, end);
    return !this.#writeBlocked;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliverEarly();
    this.#grant();
  }

  end(): void {
    if (this.#closed || this.#sentEnd) return;
    this.#sentEnd = true;
    this.#stream.sendEnd();
    this.#closeWhenBothEnded();
  }

  destroy(reset?: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#early = [];
    // An error of the connection on the other side is told as such (RFC 9113 §8.5).
    this.#stream.reset(reset === true ? StreamErrorCode.CONNECT_ERROR : StreamErrorCode.CANCEL);
    this.#handler?.onClose({ code: "", message: "closed by this side" });
  }

  onBody(buf: Buffer, start: number, end: number): void {
    if (this.#closed) return;
    if (this.#handler === undefined || this.#early.length > 0) {
      // Bounded by the stream's window, because `consumed` is not called for these.
      this.#early.push(Buffer.from(buf.subarray(start, end)));
      return;
    }
    this.#pass(buf, start, end);
  }

  onTrailers(_trailers: HeaderList): void {
    this.onEnd();
  }

  onEnd(): void {
    this.#gotEnd = true;
    this.#deliverEnd();
  }

  onWritable(): void {
    if (!this.#writeBlocked || this.#closed) return;
    this.#writeBlocked = false;
    this.#handler?.onDrain();
  }

  onReset(code: number, cause: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#early = [];
    const clean = code === StreamErrorCode.NO_ERROR && this.#gotEnd;
    this.#handler?.onClose(clean ? CLEAN : { code: "ECONNRESET", message: cause });
  }

  #pass(buf: Buffer, start: number, end: number): void {
    this.#handler?.onBytes(buf, start, end);
    if (this.#closed) return;
    if (this.#paused) this.#withheld += end - start;
    else this.#stream.consumed(end - start);
  }

  #grant(): void {
    const count = this.#withheld;
    if (count === 0 || this.#closed) return;
    this.#withheld = 0;
    this.#stream.consumed(count);
  }

  #deliverEarly(): void {
    while (this.#early.length > 0 && !this.#paused && !this.#closed && this.#handler !== undefined) {
      const chunk = this.#early.shift();
      if (chunk !== undefined) this.#pass(chunk, 0, chunk.length);
    }
    this.#deliverEnd();
  }

  #deliverEnd(): void {
    if (!this.#gotEnd || this.#endDelivered || this.#closed || this.#handler === undefined || this.#early.length > 0)
      return;
    this.#endDelivered = true;
    this.#handler.onEnd();
    this.#closeWhenBothEnded();
  }

  #closeWhenBothEnded(): void {
    if (this.#closed || !this.#sentEnd || !this.#endDelivered) return;
    // Also after the end: the window of the connection is shared.
    this.#grant();
    this.#closed = true;
    this.#handler?.onClose(CLEAN);
  }
}

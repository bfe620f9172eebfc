// A TLS connection on the handle below node:tls' stream layer: decrypted bytes land in one shared buffer, and writes
// skip the stream machinery. Who made the handle stays in charge of errors and closing: its carrier.

import { getSystemErrorName } from "node:util";
import { CLEAN_CLOSE, CLOSED_HERE, causeOf, closeCause } from "../close-cause.ts";
import type { CloseCause, Conn, ConnHandler, TlsInfo } from "../conn.ts";
import type { ProxyAddresses } from "../proxy-protocol/proxy-header.ts";
import { libuv, UV_EOF, type Libuv, type StreamHandle, type StreamOwner, type WriteRequest } from "../tiers/libuv.ts";
import { SHARED_READ_BYTES } from "../tiers/raw-conn.ts";

/** Queued bytes up to which `write` returns true: every TLS write completes in a later turn. */
const HIGH_WATER_BYTES = 64 * 1024;

interface TlsWrite extends WriteRequest {
  conn?: RawTlsConn;
}

let sharedBuffer: Buffer | undefined;

/** Facts of a connection. */
export interface SecureConnOptions {
  readonly tls: TlsInfo;
  readonly onGone?: () => void;
  /** What a PROXY protocol header told; default the socket's own addresses. */
  readonly addresses?: ProxyAddresses | undefined;
}

/** What carries a connection: the TLS handle, and who closes it. */
export interface TlsCarrier {
  readonly handle: StreamHandle;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** The connection; set by it. */
  owner: TlsCarrierOwner | undefined;
  /** Closes everything; `onCarrierGone` follows in a later turn. */
  destroy(): void;
}

/** Hears the end of its carrier. */
export interface TlsCarrierOwner {
  onCarrierError(error: Error): void;
  /** Called once, last. */
  onCarrierGone(): void;
}

/** Owns `carrier`, whose handshake ended in this turn, so that no byte was read yet. */
export class RawTlsConn implements Conn, StreamOwner, TlsCarrierOwner {
  readonly tls: TlsInfo;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly proxied: boolean;
  readonly #uv: Libuv = libuv();
  readonly #carrier: TlsCarrier;
  readonly #handle: StreamHandle;
  readonly #readBuffer: Buffer;
  readonly #onGone: (() => void) | undefined;
  #handler: ConnHandler | undefined = undefined;
  #cause: CloseCause = CLEAN_CLOSE;
  #inFlight = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Decrypted after `pause`: OpenSSL hands out what it has already, reading stopped or not. */
  #held: Buffer[] = [];
  #heldEnd = false;
  #started = false;
  #paused = false;
  #peerEnded = false;
  #ended = false;
  #finished = false;
  #closing = false;
  #closed = false;
  #blocked = false;

  constructor(carrier: TlsCarrier, options: SecureConnOptions) {
    sharedBuffer ??= Buffer.allocUnsafeSlow(SHARED_READ_BYTES);
    this.#readBuffer = sharedBuffer;
    this.#carrier = carrier;
    this.#handle = carrier.handle;
    this.#onGone = options.onGone;
    this.tls = options.tls;
    const { source, destination } = options.addresses ?? {};
    this.proxied = source !== undefined;
    this.remoteAddress = source?.address ?? carrier.remoteAddress;
    this.remotePort = source?.port ?? carrier.remotePort;
    this.localAddress = destination?.address ?? carrier.localAddress;
    this.localPort = destination?.port ?? carrier.localPort;
    carrier.owner = this;
    this.#handle.ripstopOwner = this;
    this.#handle.onread = onHandleRead;
    this.#handle.useUserBuffer(this.#readBuffer);
  }

  get handler(): ConnHandler | undefined {
    return this.#handler;
  }

  set handler(handler: ConnHandler | undefined) {
    this.#handler = handler;
    if (this.#started || handler === undefined) return;
    this.#started = true;
    if (this.#closed) queueMicrotask(() => this.#handler?.onClose(this.#cause));
    else if (!this.#closing && !this.#paused) this.#readStart();
  }

  get queuedBytes(): number {
    return this.#inFlight + this.#waitingBytes;
  }

  write(buf: Buffer, start: number, end: number): boolean {
    if (this.#ended || this.#closing || end <= start) return true;
    const bytes = Buffer.from(buf.subarray(start, end));
    if (this.#inFlight > 0) {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
    } else this.#submit(bytes);
    if (this.queuedBytes <= HIGH_WATER_BYTES) return true;
    this.#blocked = true;
    return false;
  }

  pause(): void {
    this.#paused = true;
    if (this.#started && !this.#closing) this.#handle.readStop();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.#started || this.#closing) return;
    if (this.#held.length > 0 || this.#heldEnd) setImmediate(() => this.#deliverHeld());
    else if (!this.#peerEnded) this.#readStart();
  }

  end(): void {
    if (this.#ended || this.#closing) return;
    this.#ended = true;
    if (this.#inFlight === 0) this.#shutdown();
  }

  destroy(_reset: boolean = false): void {
    if (this.#closing) return;
    this.#close(CLOSED_HERE);
  }

  /** A read came: `result` bytes in the shared buffer, or a negative error. */
  onRead(result: number): undefined {
    if (this.#closing || result === 0) return;
    if (result > 0) {
      if (this.#paused || this.#held.length > 0 || !this.#started)
        this.#held.push(Buffer.from(this.#readBuffer.subarray(0, result)));
      else this.#handler?.onBytes(this.#readBuffer, 0, result);
    } else if (result !== UV_EOF) this.#close(closeCause(getSystemErrorName(result)));
    else if (this.#held.length > 0 || !this.#started) this.#heldEnd = true;
    else this.#peerEnd();
  }

  /** The write in flight is complete. */
  onWritten(status: number): void {
    this.#inFlight = 0;
    if (this.#closing) return;
    if (status < 0) {
      this.#close(closeCause(getSystemErrorName(status)));
      return;
    }
    const [first] = this.#waiting;
    if (first) {
      const parts = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#submit(parts.length === 1 ? first : Buffer.concat(parts));
    } else if (this.#ended) this.#shutdown();
    else if (this.#blocked) {
      this.#blocked = false;
      this.#handler?.onDrain();
    }
  }

  #deliverHeld(): void {
    while (this.#held.length > 0 && !this.#paused && !this.#closing) {
      const bytes = this.#held.shift();
      if (bytes) this.#handler?.onBytes(bytes, 0, bytes.length);
    }
    if (this.#paused || this.#closing) return;
    if (this.#heldEnd) {
      this.#heldEnd = false;
      this.#peerEnd();
    } else if (!this.#peerEnded) this.#readStart();
  }

  #readStart(): void {
    if (this.#held.length > 0 || this.#heldEnd) {
      setImmediate(() => this.#deliverHeld());
      return;
    }
    // node:tls reads already at first; libuv refuses to start twice.
    this.#handle.readStop();
    const status = this.#handle.readStart();
    if (status !== 0) this.#close(closeCause(getSystemErrorName(status)));
  }

  #submit(bytes: Buffer): void {
    const request: TlsWrite = this.#uv.newWrite();
    request.async = false;
    request.handle = this.#handle;
    request.conn = this;
    request.oncomplete = onWriteComplete;
    const status = this.#handle.writeBuffer(request, bytes);
    if (status !== 0) this.#close(closeCause(getSystemErrorName(status)));
    else if (this.#uv.state[this.#uv.writeWasAsync] === 1) {
      request.buffer = bytes;
      this.#inFlight = bytes.length;
    }
  }

  #peerEnd(): void {
    this.#peerEnded = true;
    this.#handle.readStop();
    this.#handler?.onEnd();
    this.#closeWhenOver();
  }

  #shutdown(): void {
    const request = this.#uv.newShutdown();
    request.handle = this.#handle;
    request.oncomplete = () => {
      this.#finished = true;
      this.#closeWhenOver();
    };
    if (this.#handle.shutdown(request) !== 0) {
      this.#finished = true;
      this.#closeWhenOver();
    }
  }

  #closeWhenOver(): void {
    if (this.#peerEnded && this.#finished && !this.#closing) this.#close(CLEAN_CLOSE);
  }

  #close(cause: CloseCause): void {
    this.#closing = true;
    this.#cause = cause;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#held = [];
    this.#carrier.destroy();
  }

  onCarrierError(error: Error): void {
    // OpenSSL reads nothing more after an error: bytes that are not the peer's end the connection.
    if (!this.#closing) this.#close(causeOf(error));
  }

  onCarrierGone(): void {
    if (this.#closed) return;
    this.#closing = true;
    this.#closed = true;
    this.#handle.ripstopOwner = undefined;
    this.#onGone?.();
    if (this.#started) this.#handler?.onClose(this.#cause);
  }
}

function onHandleRead(this: StreamHandle): Buffer | undefined {
  const uv = libuv();
  return this.ripstopOwner?.onRead(uv.state[uv.readResult] ?? 0);
}

function onWriteComplete(this: TlsWrite, status: number): void {
  this.conn?.onWritten(status);
}

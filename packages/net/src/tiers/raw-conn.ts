// A connection on a raw libuv handle: one read buffer for the whole process, one reused write request a connection,
// no streams in between. The ownership rule of writes is in write-region.ts.

import { getSystemErrorName } from "node:util";
import { CLEAN_CLOSE, CLOSED_HERE, closeCause } from "../close-cause.ts";
import type { CloseCause, Conn, ConnHandler, TlsInfo } from "../conn.ts";
import { libuv, UV_EOF, type Libuv, type StreamHandle, type StreamOwner, type WriteRequest } from "./libuv.ts";
import { REGION_BYTES, RegionPool, type WriteRegion } from "./write-region.ts";

/** Size of a read buffer that all connections share: the most that one read brings. */
export const SHARED_READ_BYTES: number = 256 * 1024;

/**
 * Size of the read buffers of connections in bulk. What is read there is written from there: no copy, and fewer turns.
 */
const BULK_READ_BYTES = 1024 * 1024;
/** How many connections may have one at a time. */
const MAX_BULK_BUFFERS = 32;
/** So many reads in a row, each of so many bytes or more, are bulk. */
const BULK_AFTER_READS = 4;
const LARGE_READ_BYTES = 96 * 1024;
/** So many smaller ones in a row end it. */
const BULK_ENDS_AFTER_READS = 64;

/** What all raw connections of a process share. */
class Shared {
  readonly uv: Libuv = libuv();
  /** Everything in it must be consumed or copied before `onBytes` returns. */
  readonly readBuffer: Buffer = Buffer.allocUnsafeSlow(SHARED_READ_BYTES);
  readonly pool = new RegionPool();
  region: WriteRegion = this.pool.take();
  bulkBuffers = 0;
}

let shared: Shared | undefined;

/** Where a connection leads. */
export interface Addresses {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

interface RawWrite extends WriteRequest {
  conn?: RawConn;
}

/** Owns `handle`, which is connected. */
export class RawConn implements Conn, StreamOwner {
  readonly tls: TlsInfo | undefined = undefined;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly #shared: Shared;
  readonly #handle: StreamHandle;
  readonly #onGone: (() => void) | undefined;
  /** Reused while writes complete at once. One that went asynchronous is still in use while it reports its end. */
  #request: RawWrite | undefined = undefined;
  #handler: ConnHandler | undefined = undefined;
  #cause: CloseCause = CLEAN_CLOSE;
  /** The region that the write in flight was made from; undefined when its memory is its own. */
  #region: WriteRegion | undefined = undefined;
  #inFlight = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #bulkAllowed = false;
  /** Memory of its own to read into; undefined when it is the shared one. */
  #ownBuffer: Buffer | undefined = undefined;
  /** Reads in a row that speak for a change between the two. */
  #bulkReads = 0;
  #started = false;
  #reading = false;
  #paused = false;
  #peerEnded = false;
  #ended = false;
  #finished = false;
  #closing = false;
  #closed = false;
  #blocked = false;

  constructor(handle: StreamHandle, addresses: Addresses, onGone?: () => void) {
    shared ??= new Shared();
    this.#shared = shared;
    this.#handle = handle;
    this.#onGone = onGone;
    this.remoteAddress = addresses.remoteAddress;
    this.remotePort = addresses.remotePort;
    this.localAddress = addresses.localAddress;
    this.localPort = addresses.localPort;
    handle.ripstopOwner = this;
    handle.onread = onHandleRead;
  }

  get handler(): ConnHandler | undefined {
    return this.#handler;
  }

  set handler(handler: ConnHandler | undefined) {
    this.#handler = handler;
    if (this.#started || handler === undefined) return;
    this.#started = true;
    if (this.#closing) {
      if (this.#closed) queueMicrotask(() => this.#handler?.onClose(this.#cause));
      return;
    }
    this.#handle.useUserBuffer(this.#shared.readBuffer);
    if (!this.#paused) this.#readStart();
  }

  get queuedBytes(): number {
    const inKernel = this.#inFlight > 0 && !this.#closing ? Math.min(this.#handle.writeQueueSize, this.#inFlight) : 0;
    return inKernel + this.#waitingBytes;
  }

  write(buf: Buffer, start: number, end: number): boolean {
    if (this.#ended || this.#closing || end <= start) return true;
    if (this.#inFlight > 0) {
      this.#waiting.push(Buffer.from(buf.subarray(start, end)));
      this.#waitingBytes += end - start;
    } else this.#send(buf, start, end);
    if (this.#inFlight === 0) return true;
    this.#blocked = true;
    return false;
  }

  give(bytes: Buffer): boolean {
    if (this.#ended || this.#closing || bytes.length === 0) return true;
    if (this.#inFlight > 0) {
      // A copy: the caller's memory may be much larger than its view.
      this.#waiting.push(Buffer.from(bytes));
      this.#waitingBytes += bytes.length;
    } else this.#submit(bytes, undefined);
    if (this.#inFlight === 0) return true;
    this.#blocked = true;
    return false;
  }

  lend(buf: Buffer, start: number, end: number): boolean {
    if (this.#inFlight > 0 || end - start < LARGE_READ_BYTES) return this.write(buf, start, end);
    if (this.#ended || this.#closing) return true;
    this.#submit(buf.subarray(start, end), undefined);
    if (this.#inFlight === 0) return true;
    this.#blocked = true;
    return false;
  }

  allowBulk(): void {
    this.#bulkAllowed = true;
  }

  rest(): void {
    if (this.#ownBuffer === undefined || this.#closing) return;
    this.#leaveBulk();
    this.#handle.useUserBuffer(this.#shared.readBuffer);
  }

  get readsAlone(): boolean {
    return this.#ownBuffer !== undefined;
  }

  pause(): void {
    this.#paused = true;
    if (!this.#reading) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  resume(): void {
    this.#paused = false;
    if (this.#started && !this.#reading && !this.#closing && !this.#peerEnded) this.#readStart();
  }

  end(): void {
    if (this.#ended || this.#closing) return;
    this.#ended = true;
    if (this.#inFlight === 0) this.#shutdown();
  }

  destroy(reset: boolean = false): void {
    if (this.#closing) return;
    this.#close(CLOSED_HERE, reset);
  }

  /**
   * A read came: `result` bytes in the shared buffer or its own, or a negative error. Returns the memory for the next
   * read; undefined leaves it as it is.
   */
  onRead(result: number): Buffer | undefined {
    if (this.#closing || result === 0) return undefined;
    if (result > 0) {
      this.#handler?.onBytes(this.#ownBuffer ?? this.#shared.readBuffer, 0, result);
      return this.#bulkAllowed && !this.#isClosing() ? this.#nextBuffer(result) : undefined;
    }
    this.#onReadEnd(result);
    return undefined;
  }

  /** Changes between the shared buffer and one of its own by the size of reads. */
  #nextBuffer(result: number): Buffer | undefined {
    const isLarge = result >= LARGE_READ_BYTES;
    if (isLarge === (this.#ownBuffer !== undefined)) {
      this.#bulkReads = 0;
      return undefined;
    }
    this.#bulkReads++;
    const shared = this.#shared;
    if (this.#ownBuffer !== undefined) {
      if (this.#bulkReads < BULK_ENDS_AFTER_READS) return undefined;
      this.#leaveBulk();
      return shared.readBuffer;
    }
    if (this.#bulkReads < BULK_AFTER_READS || shared.bulkBuffers >= MAX_BULK_BUFFERS) return undefined;
    shared.bulkBuffers++;
    this.#bulkReads = 0;
    // Never given to another connection: a write that is under way may still be reading it when this one has left it.
    this.#ownBuffer = Buffer.allocUnsafeSlow(BULK_READ_BYTES);
    return this.#ownBuffer;
  }

  #leaveBulk(): void {
    if (this.#ownBuffer === undefined) return;
    this.#ownBuffer = undefined;
    this.#bulkReads = 0;
    this.#shared.bulkBuffers--;
  }

  #onReadEnd(result: number): void {
    if (result !== UV_EOF) {
      this.#fail(result);
      return;
    }
    this.#peerEnded = true;
    this.#reading = false;
    this.#handle.readStop();
    this.#handler?.onEnd();
    this.#closeWhenOver();
  }

  /** The write in flight is complete. */
  onWritten(status: number): void {
    if (this.#region) this.#shared.pool.give(this.#region);
    this.#region = undefined;
    this.#inFlight = 0;
    if (this.#closing) return;
    if (status < 0) {
      this.#fail(status);
      return;
    }
    while (this.#waiting.length > 0 && this.#inFlight === 0 && !this.#isClosing()) this.#sendWaiting();
    if (this.#inFlight > 0 || this.#isClosing()) return;
    if (this.#ended) this.#shutdown();
    else if (this.#blocked) {
      this.#blocked = false;
      this.#handler?.onDrain();
    }
  }

  /** For the compiler: calls between two reads of the field change it. */
  #isClosing(): boolean {
    return this.#closing;
  }

  #newRequest(): RawWrite {
    const request: RawWrite = this.#shared.uv.newWrite();
    request.async = false;
    request.handle = this.#handle;
    request.conn = this;
    request.oncomplete = onWriteComplete;
    return request;
  }

  #send(buf: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length > REGION_BYTES) {
      this.#submit(Buffer.from(buf.subarray(start, end)), undefined);
      return;
    }
    const { region } = this.#shared;
    buf.copy(region.buffer, 0, start, end);
    this.#submit(region.view(length), region);
  }

  #sendWaiting(): void {
    const parts = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const [first] = parts;
    if (first) this.#submit(parts.length === 1 ? first : Buffer.concat(parts), undefined);
  }

  #submit(bytes: Buffer, region: WriteRegion | undefined): void {
    const { uv, pool } = this.#shared;
    const request = (this.#request ??= this.#newRequest());
    const status = this.#handle.writeBuffer(request, bytes);
    if (status !== 0) {
      // Told in a later turn, as every end is.
      this.#fail(status);
      return;
    }
    if (uv.state[uv.writeWasAsync] !== 1) return;
    request.buffer = bytes;
    this.#inFlight = bytes.length;
    this.#request = undefined;
    if (region) {
      this.#region = region;
      this.#shared.region = pool.take();
    }
  }

  #readStart(): void {
    this.#reading = true;
    const status = this.#handle.readStart();
    if (status !== 0) this.#fail(status);
  }

  #shutdown(): void {
    const request = this.#shared.uv.newShutdown();
    request.handle = this.#handle;
    request.oncomplete = () => {
      this.#finished = true;
      if (!this.#closing) this.#closeWhenOver();
    };
    // ENOTCONN: the peer has reset; reading tells.
    if (this.#handle.shutdown(request) !== 0) {
      this.#finished = true;
      this.#closeWhenOver();
    }
  }

  #closeWhenOver(): void {
    if (this.#peerEnded && this.#finished && !this.#closing) this.#close(CLEAN_CLOSE, false);
  }

  #fail(status: number): void {
    if (!this.#closing) this.#close(closeCause(getSystemErrorName(status)), false);
  }

  #close(cause: CloseCause, reset: boolean): void {
    this.#closing = true;
    this.#cause = cause;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#reading) this.#handle.readStop();
    this.#reading = false;
    const done = (): void => this.#gone();
    // While a FIN is on its way a reset is refused, and Node then never closes the handle.
    if (reset && !this.#ended && this.#handle.reset) this.#handle.reset(done);
    else this.#handle.close(done);
  }

  #gone(): void {
    this.#closed = true;
    this.#leaveBulk();
    this.#handle.ripstopOwner = undefined;
    this.#onGone?.();
    if (this.#started) this.#handler?.onClose(this.#cause);
  }
}

function onHandleRead(this: StreamHandle): Buffer | undefined {
  const { uv } = shared ?? { uv: libuv() };
  return this.ripstopOwner?.onRead(uv.state[uv.readResult] ?? 0);
}

function onWriteComplete(this: RawWrite, status: number): void {
  this.conn?.onWritten(status);
}

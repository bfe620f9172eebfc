// A connection that a test plays both ends of.

import { CLOSED_HERE, type CloseCause, type Conn, type ConnHandler } from "@ripstop/net";

/** Made-up connection: remembers what was written, delivers what the test says. */
export class FakeConn implements Conn {
  handler: ConnHandler | undefined = undefined;
  /** What the kernel "did not take"; set it to play a peer that does not read. */
  queuedBytes = 0;
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 1;
  readonly localAddress = "";
  readonly localPort = 2;
  readonly tls = undefined;
  closed = false;
  ended = false;
  paused = false;
  written: Buffer = Buffer.alloc(0);

  write(buf: Buffer, start: number, end: number): boolean {
    this.written = Buffer.concat([this.written, buf.subarray(start, end)]);
    return this.queuedBytes === 0;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.close(CLOSED_HERE);
  }

  /** The connection is gone. */
  close(cause: CloseCause): void {
    if (this.closed) return;
    this.closed = true;
    this.handler?.onClose(cause);
  }

  /** The peer sends `bytes`. */
  receive(bytes: Buffer | string): void {
    const buf = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    this.handler?.onBytes(buf, 0, buf.length);
  }

  /** An upstream's empty answer over HTTP/1.1. */
  answer(): void {
    this.receive("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  }
}

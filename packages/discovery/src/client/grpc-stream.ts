// One bidirectional gRPC stream over a node:http2 session (gRPC over HTTP/2: length-prefixed messages, status in trailers).

import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";

/** What the owner of a stream hears. */
export interface GrpcStreamEvents {
  /** One whole message; valid during the call only. A throw ends the stream. */
  onMessage(message: Buffer): void;
  /** Bytes that `send` queued are gone. */
  onDrain(): void;
  /** The stream is over; called once. `status` is the gRPC status, or "" when none came. */
  onEnd(status: string, message: string): void;
}

const PREFIX_BYTES = 5;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const EMPTY: Buffer = Buffer.alloc(0);

/** An open stream. */
export class GrpcStream {
  readonly #stream: ClientHttp2Stream;
  readonly #events: GrpcStreamEvents;
  #received: Buffer = EMPTY;
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #needed: number = PREFIX_BYTES;
  #isOver = false;
  #status = "";
  #message = "";

  constructor(session: ClientHttp2Session, path: string, metadata: OutgoingHttpHeaders, events: GrpcStreamEvents) {
    this.#events = events;
    this.#stream = session.request({
      ":method": "POST",
      ":path": path,
      te: "trailers",
      "content-type": "application/grpc",
      ...metadata,
    });
    this.#stream.on("response", (headers) => this.#onHeaders(headers));
    this.#stream.on("trailers", (headers: IncomingHttpHeaders) => this.#takeStatus(headers));
    this.#stream.on("data", (chunk: Buffer) => this.#onData(chunk));
    this.#stream.on("drain", () => events.onDrain());
    this.#stream.on("error", (error: Error) => this.#end(error.message));
    this.#stream.on("end", () => this.#end(""));
    this.#stream.on("close", () => this.#end(""));
  }

  /** Sends one message; false when bytes are queued: wait for `onDrain`. Nothing is sent on a stream that is over. */
  send(message: Uint8Array): boolean {
    if (this.#isOver || this.#stream.writableEnded || this.#stream.destroyed) return true;
    const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
    framed[0] = 0;
    framed.writeUInt32BE(message.length, 1);
    framed.set(message, PREFIX_BYTES);
    return this.#stream.write(framed);
  }

  /** Ends the stream at once. */
  close(): void {
    this.#end("closed");
  }

  #onHeaders(headers: IncomingHttpHeaders): void {
    const status: unknown = headers[":status"];
    if (status !== 200) this.#end(`HTTP status ${String(status)}`);
    else this.#takeStatus(headers);
  }

  #takeStatus(headers: IncomingHttpHeaders): void {
    const { "grpc-status": status, "grpc-message": message } = headers;
    if (typeof status === "string") this.#status = status;
    if (typeof message === "string") this.#message = decodeMessage(message);
  }

  #onData(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    // Pieces of a long message are joined once, when it is complete.
    if (this.#received.length + this.#chunkBytes < this.#needed) return;
    this.#received =
      this.#received.length === 0 && this.#chunks.length === 1
        ? chunk
        : Buffer.concat([this.#received, ...this.#chunks]);
    this.#chunks = [];
    this.#chunkBytes = 0;
    let at = 0;
    while (!this.#isOver) {
      const rest = this.#received.length - at;
      if (rest < PREFIX_BYTES) {
        this.#needed = PREFIX_BYTES;
        break;
      }
      const length = this.#received.readUInt32BE(at + 1);
      if (this.#received[at] !== 0 || length > MAX_MESSAGE_BYTES) {
        this.#end(length > MAX_MESSAGE_BYTES ? `a message of ${length} bytes` : "a compressed message");
        return;
      }
      if (rest < PREFIX_BYTES + length) {
        this.#needed = PREFIX_BYTES + length;
        break;
      }
      this.#deliver(this.#received.subarray(at + PREFIX_BYTES, at + PREFIX_BYTES + length));
      at += PREFIX_BYTES + length;
    }
    // Copied, so that a few left-over bytes do not keep a large buffer alive.
    this.#received = at === this.#received.length ? EMPTY : Buffer.from(this.#received.subarray(at));
  }

  #deliver(message: Buffer): void {
    try {
      this.#events.onMessage(message);
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
    }
  }

  #end(message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream.destroy();
    this.#events.onEnd(this.#status, this.#message || message);
  }
}

/** grpc-message is percent-encoded; a malformed one is shown as it came. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// One bidirectional gRPC stream over a session (gRPC over HTTP/2: length-prefixed messages, status in trailers).

import {
  type ClientStream,
  type ClientStreamHandler,
  type HeaderList,
  RequestHead,
  type ResponseHead,
  StreamErrorCode,
} from "@ripstop/http";

import type { ControlSession } from "./control-session.ts";

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
export class GrpcStream implements ClientStreamHandler {
  readonly #stream: ClientStream | undefined;
  readonly #events: GrpcStreamEvents;
  #received: Buffer = EMPTY;
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #needed: number = PREFIX_BYTES;
  #isOver = false;
  #status = "";
  #message = "";

  /** Opens the stream; `metadata` has lower-case names. When none can be opened, `onEnd` follows in a later turn. */
  constructor(
    session: ControlSession,
    path: string,
    metadata: Readonly<Record<string, string>>,
    events: GrpcStreamEvents,
  ) {
    this.#events = events;
    this.#stream = session.open(this);
    if (this.#stream === undefined) {
      queueMicrotask(() => this.#end("the connection takes no new stream"));
      return;
    }
    const head = new RequestHead();
    head.version = 20;
    head.method = "POST";
    head.scheme = "https";
    head.authority = "control";
    head.path = path;
    head.headers.append("te", "trailers");
    head.headers.append("content-type", "application/grpc");
    for (const [name, value] of Object.entries(metadata)) head.headers.append(name, value);
    this.#stream.sendRequest(head, false);
  }

  /** Sends one message; false when bytes are queued: wait for `onDrain`. Nothing is sent on a stream that is over. */
  send(message: Uint8Array): boolean {
    if (this.#isOver || this.#stream === undefined) return true;
    const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
    framed[0] = 0;
    framed.writeUInt32BE(message.length, 1);
    framed.set(message, PREFIX_BYTES);
    return this.#stream.sendBody(framed, 0, framed.length);
  }

  /** Ends the stream at once. */
  close(): void {
    this.#end("closed");
  }

  // ── ClientStreamHandler ─────────────────────────────────────────────────────────────────────────────────────────

  onInformational(_head: ResponseHead): void {
    // Says nothing about the stream.
  }

  onResponse(head: ResponseHead, end: boolean): void {
    if (head.status === 200) this.#takeStatus(head.headers);
    if (head.status !== 200) this.#end(`HTTP status ${head.status}`);
    else if (end) this.#end("");
  }

  onBody(buf: Buffer, start: number, end: number): void {
    // The bytes are the codec's, and messages keep parts of them.
    this.#onData(Buffer.from(buf.subarray(start, end)));
    this.#stream?.consumed(end - start);
  }

  onTrailers(trailers: HeaderList): void {
    this.#takeStatus(trailers);
    this.#end("");
  }

  onEnd(): void {
    this.#end("");
  }

  onWritable(): void {
    if (!this.#isOver) this.#events.onDrain();
  }

  onReset(_code: number, cause: string): void {
    this.#end(cause);
  }

  #takeStatus(headers: HeaderList): void {
    this.#status = headers.get("grpc-status") ?? this.#status;
    const message = headers.get("grpc-message");
    if (message !== undefined) this.#message = decodeMessage(message);
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
    this.#stream?.reset(StreamErrorCode.CANCEL);
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

// HTTP/2 on the connection to the control plane, by our own codec: node:http2 would cost every proxy two to three
// megabytes for two streams.

import type { Socket } from "node:net";

import type { Clock } from "@ripstop/core";
import { type ClientStream, type ClientStreamHandler, StreamErrorCode } from "@ripstop/http";
import { Http2Connection, type Flushable, type Http2Error } from "@ripstop/http2";

/** What the owner of a session hears. The end of its socket is the owner's to watch. */
export interface ControlSessionEvents {
  /** The control plane takes no new streams. */
  onGoaway(): void;
  /** The control plane broke the protocol; the socket closes. */
  onError(message: string): void;
  /** The answer to `ping`. */
  onPong(): void;
}

/** Two streams share it; a config message is at most as large as a few windows. */
const SETTINGS = { initialWindowBytes: 1024 * 1024, connectionWindowBytes: 2 * 1024 * 1024, headerTableBytes: 4096 };

/** A client session over a connected `socket`, which it reads and writes from here on. */
export class ControlSession {
  readonly #socket: Socket;
  readonly #http2: Http2Connection;

  constructor(socket: Socket, clock: Clock, events: ControlSessionEvents) {
    this.#socket = socket;
    this.#http2 = new Http2Connection({
      role: "client",
      clock,
      settings: SETTINGS,
      output: {
        // Frames of one turn leave together.
        scheduleFlush: (connection: Flushable) => queueMicrotask(() => connection.flush()),
        // The codec uses its memory again, and the socket keeps what the kernel does not take.
        write: (buf, start, end) => !socket.writable || socket.write(Buffer.from(buf.subarray(start, end))),
        close: () => socket.destroySoon(),
      },
      handler: {
        onSettings: () => undefined,
        onIdle: () => undefined,
        onGoaway: () => events.onGoaway(),
        onPong: () => events.onPong(),
        onStreamError: () => undefined,
        onError: (error: Http2Error) => events.onError(error.toString()),
      },
    });
    socket.on("data", (chunk: Buffer) => this.#http2.receive(chunk, 0, chunk.length));
    socket.on("drain", () => this.#http2.writable());
    socket.on("end", () => this.#http2.receivedEnd());
    socket.on("close", () => this.#http2.closed("the connection was closed"));
  }

  /** No stream can be opened any more. */
  get over(): boolean {
    return this.#http2.draining || this.#socket.destroyed;
  }

  /** A new stream, whose request should follow in the same turn; undefined when none can be opened now. */
  open(handler: ClientStreamHandler): ClientStream | undefined {
    return this.#http2.open(handler);
  }

  /** Asks for an `onPong`. */
  ping(): void {
    this.#http2.ping(0);
  }

  /** Ends session and socket at once. Streams hear `onReset`. */
  destroy(): void {
    this.#http2.abort(StreamErrorCode.NO_ERROR, "closed by this side");
    this.#socket.destroy();
  }
}

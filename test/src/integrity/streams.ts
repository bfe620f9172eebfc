// Sends and receives planned bodies on any Node stream.

import type { Socket } from "node:net";
import type { Duplex, Readable, Writable } from "node:stream";
import { content, type ContentCheck } from "./content.ts";

/** How a body is sent. */
export interface Sending {
  readonly seed: number;
  readonly length: number;
  readonly piece: number;
  readonly slow: boolean;
  /** Called with the bytes sent so far, before each piece; false stops. */
  before?(sent: number): boolean;
  /** Puts a piece into its frame; without it pieces are written as they are. */
  frame?(bytes: Buffer): Buffer;
}

const MAX_PAUSES = 8;

/** Sends a body without ending the stream; false when stopped by `before` or by the end of the stream. */
export async function sendContent(stream: Writable, sending: Sending): Promise<boolean> {
  const { seed, length, piece, slow, before, frame } = sending;
  let pauses = 0;
  for (let sent = 0; sent < length;) {
    if (before?.(sent) === false || stream.destroyed || stream.writableEnded) return false;
    const bytes = content(seed, sent, Math.min(piece, length - sent));
    sent += bytes.length;
    const room = stream.write(frame?.(bytes) ?? bytes);
    if (!room && !(await drained(stream))) return false;
    if (slow && pauses++ < MAX_PAUSES) await pause(pauses);
  }
  return before?.(length) !== false && !stream.destroyed;
}

/** Reads to the clean end; false when it came to no clean end. `onBytes` is told of each piece. */
export function receiveContent(
  stream: Readable,
  check: ContentCheck,
  options: { readonly slow: boolean; onBytes?(): void },
): Promise<boolean> {
  return new Promise((resolve) => {
    let pauses = 0;
    stream.on("data", (bytes: Buffer) => {
      check.add(bytes);
      options.onBytes?.();
      if (!options.slow || pauses++ >= MAX_PAUSES) return;
      stream.pause();
      void pause(pauses).then(() => stream.resume());
    });
    let clean = false;
    stream.on("end", () => {
      clean = true;
      resolve(true);
    });
    stream.on("error", () => resolve(false));
    stream.on("aborted", () => resolve(false));
    // A stream that is closed before its end was cut.
    stream.on("close", () => resolve(clean));
  });
}

function drained(stream: Writable): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      stream.off("error", done);
      resolve(!stream.destroyed);
    };
    stream.on("drain", done);
    stream.on("close", done);
    stream.on("error", done);
    if (stream.destroyed) done();
  });
}

/** A slow peer's pause. */
export function pause(turn: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1 + (turn % 4) * 3));
}

/**
 * Ends an HTTP/2 stream of Node's by a reset. Not at once: Node's reader goes on with the memory of a stream that is reset
 * while bytes are taken in (nodejs/node#64113), and destroys the heap of the process. Node's `close()` would end the body
 * in order before it resets; `destroy` with an error does not.
 */
export function resetStream(stream: Duplex): void {
  setImmediate(() => stream.destroy(new Error("cut")));
}

/** Closes by RST at once. Node's own `resetAndDestroy` sends what is queued first, and a FIN after it. */
export function hardReset(socket: Socket | undefined): void {
  if (socket === undefined || socket.destroyed) return;
  if (socket.connecting) {
    socket.destroy();
    return;
  }
  const handle = Reflect.get(socket, "_handle") as { reset?(done: () => void): number } | null;
  // Node does not learn that its handle is closed.
  handle?.reset?.(() => socket.emit("close", true));
  socket.destroy();
}

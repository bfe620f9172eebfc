// Finds streams on which the peer makes no progress: a window that never opens, a request body that trickles. Looks only
// when asked, so streams carry no timers; what it remembers exists only for streams that wait for the peer.

import { httpDate, StreamErrorCode } from "@ripstop/http";
import type { ConnectionState } from "./connection-state.ts";
import { HTTP2_STALLED, Http2Error } from "./errors.ts";
import { FrameType } from "./frames.ts";
import type { Http2Stream } from "./stream.ts";

/** A peer that may send less than this may be waiting for a larger window. */
const ROOM_BYTES = 4 * 1024;

/** How many looks in a row without progress end a stream. */
export interface StallLimits {
  /**
   * Server: in so many looks each request body must bring `bodyMinBytes`, or its end, until it is answered; or else all of
   * them together so much for each. A client on a slow path may send one body after the other.
   */
  readonly bodyLooks: number;
  readonly bodyMinBytes: number;
  /** The peer does not take what is queued for it. */
  readonly sendLooks: number;
}

interface Wait {
  readonly sending: boolean;
  readonly mark: number;
  readonly looks: number;
  /** What had come of all bodies when this stretch began, and of this one at the last look. */
  readonly allMark: number;
  readonly seen: number;
}

/** One per connection that is looked at. */
export class StallWatch {
  readonly #state: ConnectionState;
  #waits = new Map<Http2Stream, Wait>();
  /** Bytes that came of bodies while they were owed. */
  #bodyBytes = 0;
  /** Bodies that are owed at this look. */
  #bodies = 0;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  /** Looks once and ends the streams that have stood still for too long. */
  look(limits: StallLimits): void {
    const state = this.#state;
    const before = this.#waits;
    const now = new Map<Http2Stream, Wait>();
    const streams = state.streams.snapshot();
    this.#countBodies(streams, before);
    for (const stream of streams) {
      if (stream.closed) continue;
      const wait = this.#waitOf(stream, before.get(stream), limits);
      if (wait === undefined) continue;
      const allowed = wait.sending ? limits.sendLooks : limits.bodyLooks;
      if (wait.looks < allowed) {
        now.set(stream, wait);
        continue;
      }
      if (wait.sending) this.#endReader(stream);
      else this.#endSender(stream, stream.receivedLength - wait.mark);
      if (state.dead) return;
    }
    this.#waits = now;
  }

  #countBodies(streams: readonly Http2Stream[], before: ReadonlyMap<Http2Stream, Wait>): void {
    this.#bodies = 0;
    for (const stream of streams) {
      if (!this.#isOwedBody(stream)) continue;
      this.#bodies++;
      const wait = before.get(stream);
      if (wait?.sending === false) this.#bodyBytes += stream.receivedLength - wait.seen;
    }
  }

  #waitOf(stream: Http2Stream, before: Wait | undefined, limits: StallLimits): Wait | undefined {
    const sending = stream.queuedBytes > 0;
    if (!sending && !this.#isOwedBody(stream)) return undefined;
    const allMark = this.#bodyBytes;
    const seen = stream.receivedLength;
    // Both numbers only stand still when nothing moves: sent bytes leave the queue's front or shrink the window.
    const mark = sending ? stream.sendWindow * 2 + stream.queueStart : seen;
    const fresh = { sending, mark, looks: 0, allMark, seen };
    if (before === undefined || before.sending !== sending) return fresh;
    const looks = before.looks + 1;
    const moved = sending ? mark !== before.mark : mark - before.mark >= limits.bodyMinBytes;
    if (moved) return fresh;
    const isOver = !sending && looks >= limits.bodyLooks;
    if (isOver && allMark - before.allMark >= limits.bodyMinBytes * this.#bodies) return fresh;
    return { ...before, looks, seen };
  }

  /** The client owes the rest of a request body: nothing was answered, it may send, and we do not hold it back. */
  #isOwedBody(stream: Http2Stream): boolean {
    const { role, receiveWindow, sender } = this.#state;
    if (role !== "server" || stream.remoteEnded || stream.headSent || stream.isTunnel) return false;
    // Window updates wait behind what a blocked transport has not taken.
    if (sender.blocked || receiveWindow < ROOM_BYTES || stream.receiveWindow < ROOM_BYTES) return false;
    return stream.handler?.mayPause !== true;
  }

  #endReader(stream: Http2Stream): void {
    const message = `the peer took nothing of the ${stream.queuedBytes} bytes that wait for it`;
    this.#state.streamError(stream, stalled(StreamErrorCode.CANCEL, message));
  }

  /** Answers 408, and tells the client that the rest of its request is not wanted (RFC 9113 §8.1). */
  #endSender(stream: Http2Stream, came: number): void {
    const state = this.#state;
    const { writer, encoder } = state.sender;
    const of = stream.expectedLength < 0 ? "" : ` of ${stream.expectedLength} declared`;
    const message = `${stream.receivedLength}${of} bytes of the request's body came, and only ${came} lately`;
    const error = stalled(StreamErrorCode.NO_ERROR, message);
    const at = writer.header(0, FrameType.HEADERS, 0, stream.id);
    encoder.begin(writer);
    encoder.field(writer, ":status", String(HTTP2_STALLED.status), false);
    encoder.field(writer, "date", httpDate(state.nowMs()), false);
    encoder.field(writer, "x-ripstop-error", HTTP2_STALLED.code, false);
    writer.finishHeaders(at, stream.id, true);
    state.streamError(stream, error);
  }
}

function stalled(code: number, message: string): Http2Error {
  return new Http2Error(HTTP2_STALLED, code, { section: "RFC 9113 §10.5", message });
}

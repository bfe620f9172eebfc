// Finds streams on which the peer makes no progress: a window that never opens, a declared body that never comes. Looks
// only when asked, so streams carry no timers; what it remembers exists only for streams that wait for the peer.

import { StreamErrorCode } from "@ripstop/http";
import type { ConnectionState } from "./connection-state.ts";
import { HTTP2_STALLED, Http2Error } from "./errors.ts";
import type { Http2Stream } from "./stream.ts";

/** How many looks in a row without progress end a stream. */
export interface StallLimits {
  /** Server: the request's declared body does not arrive, and nothing was answered. */
  readonly bodyLooks: number;
  /** The peer does not take what is queued for it. */
  readonly sendLooks: number;
}

interface Wait {
  readonly sending: boolean;
  readonly mark: number;
  readonly looks: number;
}

/** One per connection that is looked at. */
export class StallWatch {
  readonly #state: ConnectionState;
  #waits = new Map<Http2Stream, Wait>();

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  /** Looks once and resets the streams that have stood still for too long. */
  look(limits: StallLimits): void {
    const state = this.#state;
    const before = this.#waits;
    const now = new Map<Http2Stream, Wait>();
    for (const stream of state.streams.snapshot()) {
      const wait = this.#waitOf(stream, before.get(stream));
      if (wait === undefined) continue;
      const allowed = wait.sending ? limits.sendLooks : limits.bodyLooks;
      if (wait.looks < allowed) {
        now.set(stream, wait);
        continue;
      }
      const message = wait.sending
        ? `the peer took nothing of the ${stream.queuedBytes} bytes that wait for it`
        : `${stream.receivedLength} of ${stream.expectedLength} declared bytes came, then nothing`;
      state.streamError(
        stream,
        new Http2Error(HTTP2_STALLED, StreamErrorCode.CANCEL, { section: "RFC 9113 §10.5", message }),
      );
      if (state.dead) return;
    }
    this.#waits = now;
  }

  #waitOf(stream: Http2Stream, before: Wait | undefined): Wait | undefined {
    const sending = stream.queuedBytes > 0;
    const receiving =
      !sending &&
      this.#state.role === "server" &&
      !stream.remoteEnded &&
      !stream.headSent &&
      stream.expectedLength >= 0 &&
      stream.unconsumed === 0;
    if (!sending && !receiving) return undefined;
    // Both numbers only stand still when nothing moves: sent bytes leave the queue's front or shrink the window.
    const mark = sending ? stream.sendWindow * 2 + stream.queueStart : stream.receivedLength;
    const same = before !== undefined && before.sending === sending && before.mark === mark;
    return { sending, mark, looks: same ? before.looks + 1 : 0 };
  }
}

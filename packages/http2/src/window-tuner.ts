// Opens the windows of streams that a long path holds back. A window allows one window of bytes each round trip, so
// 256 KiB are 2.6 MB/s over 100 ms. A stream that uses up half of its window within two measured round trips gets twice
// the window, up to a bound for it and one for all streams together: the way of QUIC's receivers (RFC 9000 section 4.2
// leaves it open). Only bytes that were consumed count, so a slow reader's window never grows; and a stream that ends
// gives back what it had, so idle connections and new streams stay small.

import type { Clock } from "@ripstop/core";
import type { Http2Stream } from "./stream.ts";

/** The largest window of a stream: 40 MB/s over 100 ms. */
export const MAX_TUNED_WINDOW_BYTES: number = 4 * 1024 * 1024;
/** Below this round trip the window at first is no limit: 128 MB/s over 2 ms. */
const SHORT_PATH_MS = 2;
/** The round trip is measured again when streams move bytes and the figure is older. */
const MEASURE_AGAIN_MS = 10_000;
/** A stream that takes longer than this for half a window is not held back by it. */
const LONG_MS = 10_000;

/** What the tuner needs of its connection. */
export interface WindowTunerOptions {
  readonly clock: Clock;
  /** Sends a PING whose answer becomes `onPong`. */
  readonly ping: () => void;
  /** Most bytes that the windows of all streams together may grow by. */
  readonly maxExtraBytes: number;
}

/** One per connection on which a stream has used up half of its window. */
export class WindowTuner {
  readonly #options: WindowTunerOptions;
  /** The latest round trip; NaN until measured. */
  #roundTripMs = Number.NaN;
  #pingSentMs = Number.NEGATIVE_INFINITY;
  #pingUnderWay = false;
  #extraBytes = 0;

  constructor(options: WindowTunerOptions) {
    this.#options = options;
  }

  /** Bytes by which all windows have grown. */
  get extraBytes(): number {
    return this.#extraBytes;
  }

  /** `stream`, whose window is `windowBytes` now, has used up half of it. Returns by how many bytes it grows. */
  grow(stream: Http2Stream, windowBytes: number): number {
    // Whole milliseconds: a field with a fraction is an object of its own.
    const nowMs = Math.round(this.#options.clock.monotonicMs());
    const sinceMs = nowMs - stream.halfWindowMs;
    stream.halfWindowMs = nowMs;
    // Once is no stream that windows hold back: most bodies end here.
    if (sinceMs > LONG_MS) return 0;
    if (!this.#pingUnderWay && nowMs - this.#pingSentMs >= MEASURE_AGAIN_MS) {
      this.#pingUnderWay = true;
      this.#pingSentMs = nowMs;
      this.#options.ping();
    }
    // Not known is not long.
    if (!(this.#roundTripMs >= SHORT_PATH_MS) || sinceMs > 2 * this.#roundTripMs) return 0;
    const room = Math.min(MAX_TUNED_WINDOW_BYTES - windowBytes, this.#options.maxExtraBytes - this.#extraBytes);
    const extra = Math.max(0, Math.min(windowBytes, room));
    stream.extraWindow += extra;
    this.#extraBytes += extra;
    return extra;
  }

  /** Takes back up to `bytes` that the window of `stream` had grown by. Returns how many. */
  shrink(stream: Http2Stream, bytes: number): number {
    const back = Math.min(stream.extraWindow, bytes);
    stream.extraWindow -= back;
    this.#extraBytes -= back;
    return back;
  }

  /** The PING was answered. */
  onPong(): void {
    if (!this.#pingUnderWay) return;
    this.#pingUnderWay = false;
    this.#roundTripMs = Math.round(this.#options.clock.monotonicMs()) - this.#pingSentMs;
  }

  /** The stream has ended: its part of the bound is free for others. */
  release(stream: Http2Stream): void {
    this.#extraBytes -= stream.extraWindow;
    stream.extraWindow = 0;
  }
}

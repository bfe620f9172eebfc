// Requests that wait for a connection: first come, first served, not for ever, and not without number.

import { POOL_MAX_WAITING } from "../settings.ts";
import type { StreamWaiter } from "./http-pool.ts";

/** One per pool. Adding, taking and leaving cost the same however long it is. */
export class WaitQueue {
  /** Since when each waits (monotonic ms), oldest first. */
  readonly #waiting = new Map<StreamWaiter, number>();

  get length(): number {
    return this.#waiting.size;
  }

  /** Adds `waiter` at the end; when the queue is full it is told so instead, and the result is false. */
  add(waiter: StreamWaiter, nowMs: number): boolean {
    if (this.#waiting.size >= POOL_MAX_WAITING) {
      waiter.onNoStream("too many requests wait for a connection", true);
      return false;
    }
    this.#waiting.set(waiter, nowMs);
    return true;
  }

  /** Takes out who waits longest. */
  shift(): StreamWaiter | undefined {
    for (const waiter of this.#waiting.keys()) {
      this.#waiting.delete(waiter);
      return waiter;
    }
    return undefined;
  }

  /** `waiter` does not wait any more. */
  delete(waiter: StreamWaiter): void {
    this.#waiting.delete(waiter);
  }

  /** Tells the `count` that wait longest that nothing comes. */
  fail(cause: string, count: number = this.#waiting.size): void {
    const failed: StreamWaiter[] = [];
    for (const waiter of this.#waiting.keys()) {
      if (failed.length >= count) break;
      failed.push(waiter);
    }
    // All taken out first: one that is told may ask again at once.
    for (const waiter of failed) this.#waiting.delete(waiter);
    for (const waiter of failed) waiter.onNoStream(cause, false);
  }

  /** Tells those who have waited for `maxMs` that no connection became free. */
  expire(nowMs: number, maxMs: number): void {
    for (const [waiter, sinceMs] of this.#waiting) {
      if (nowMs - sinceMs < maxMs) return;
      this.#waiting.delete(waiter);
      waiter.onNoStream(`no connection became free within ${maxMs} ms`, true);
    }
  }
}

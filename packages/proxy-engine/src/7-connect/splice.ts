// Two connections joined: bytes, ends and back-pressure pass both ways.

import type { CloseCause, Conn, ConnHandler } from "@ripstop/net";

/** What the owner of a splice wants to know. */
export interface SpliceEvents {
  /** Both connections are gone. `cause` is why the first one went. */
  onSpliceEnd(splice: Splice, cause: CloseCause): void;
}

/** A joined pair. `a` is the client's side. */
export class Splice {
  /** Bytes from a to b. */
  sentBytes = 0;
  /** Bytes from b to a. */
  receivedBytes = 0;
  readonly #a: Conn;
  readonly #b: Conn;
  readonly #events: SpliceEvents;
  #open = 2;
  #cause: CloseCause | undefined;

  /** Takes both connections over. Bytes that were read from `a` before are written to `b` by the caller first. */
  constructor(a: Conn, b: Conn, events: SpliceEvents) {
    this.#a = a;
    this.#b = b;
    this.#events = events;
    a.handler = new Side(this, a, b, true);
    b.handler = new Side(this, b, a, false);
    if (b.lend !== undefined) a.allowBulk?.();
    if (a.lend !== undefined) b.allowBulk?.();
    // Bytes may be queued on either side already.
    if (b.queuedBytes > 0) a.pause();
    else a.resume();
    if (a.queuedBytes > 0) b.pause();
    else b.resume();
  }

  /** Nothing passed for a while. */
  rest(): void {
    this.#a.rest?.();
    this.#b.rest?.();
  }

  /** Closes both sides at once. */
  destroy(): void {
    this.#a.destroy(true);
    this.#b.destroy(true);
  }

  /** @internal One side is gone. */
  sideClosed(other: Conn, cause: CloseCause): void {
    this.#open--;
    this.#cause ??= cause;
    if (this.#open > 0) {
      // A clean end was passed on by onEnd already; the other side goes on writing what is queued.
      if (cause.code === "") {
        other.end();
        // Nobody holds it back any more: it must be read to see its own end.
        other.resume();
      } else {
        other.destroy(true);
      }
      return;
    }
    this.#events.onSpliceEnd(this, this.#cause);
  }
}

class Side implements ConnHandler {
  readonly #splice: Splice;
  readonly #own: Conn;
  readonly #other: Conn;
  readonly #isClient: boolean;

  constructor(splice: Splice, own: Conn, other: Conn, isClient: boolean) {
    this.#splice = splice;
    this.#own = own;
    this.#other = other;
    this.#isClient = isClient;
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    if (this.#isClient) this.#splice.sentBytes += end - start;
    else this.#splice.receivedBytes += end - start;
    const other = this.#other;
    const taken =
      this.#own.readsAlone === true && other.lend !== undefined
        ? other.lend(buf, start, end)
        : other.write(buf, start, end);
    if (!taken) this.#own.pause();
  }

  onEnd(): void {
    this.#other.end();
  }

  onDrain(): void {
    this.#other.resume();
  }

  onClose(cause: CloseCause): void {
    this.#splice.sideClosed(this.#other, cause);
  }
}

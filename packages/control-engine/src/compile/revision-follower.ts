// Takes revisions over into the world change by change: a large one in slices, between which the process serves everyone
// else. What depends on a revision is computed again when all of it is taken over.

import type { Clock, Timer } from "@ripstop/core";

import { SLICE_MS } from "../in-slices.ts";
import type { Change, Revision } from "../store/store.ts";

/** What takes over the changes of a revision. */
export interface ChangeTaker {
  /** Adds the names of the reads that a change affects. */
  onChange(change: Change, affected: Set<string>): void;
  /** Adds the names of what else they affect, after the last change. */
  settle(affected: Set<string>): void;
}

/** Follows revisions in their order. */
export class RevisionFollower {
  readonly #taker: ChangeTaker;
  readonly #clock: Clock | undefined;
  readonly #taken: (affected: ReadonlySet<string>, revision: number) => void;
  /** The first is the one that is being taken over. */
  readonly #waiting: Revision[] = [];
  /** Changes of it that are taken over. */
  #done = 0;
  #affected = new Set<string>();
  #timer: Timer | undefined;

  /** `taken` hears of each revision once all of it is taken over. Without a clock that is at once. */
  constructor(
    taker: ChangeTaker,
    clock: Clock | undefined,
    taken: (affected: ReadonlySet<string>, revision: number) => void,
  ) {
    this.#taker = taker;
    this.#clock = clock;
    this.#taken = taken;
  }

  /** Takes over what fits in this turn; of a small revision that is all. */
  add(revision: Revision): void {
    this.#waiting.push(revision);
    if (this.#timer === undefined) this.#slice();
  }

  /** Drops what waits. */
  close(): void {
    this.#timer?.clear();
    this.#waiting.length = 0;
  }

  #slice(): void {
    this.#timer = undefined;
    const clock = this.#clock;
    const endMs = clock === undefined ? Infinity : clock.monotonicMs() + SLICE_MS;
    for (let revision = this.#waiting[0]; revision !== undefined; revision = this.#waiting[0]) {
      for (let change = revision.changes[this.#done]; change !== undefined; change = revision.changes[this.#done]) {
        this.#taker.onChange(change, this.#affected);
        this.#done++;
        if (clock === undefined || clock.monotonicMs() < endMs) continue;
        this.#timer = clock.after(0, () => this.#slice());
        return;
      }
      this.#taker.settle(this.#affected);
      const affected = this.#affected;
      this.#waiting.shift();
      this.#done = 0;
      this.#affected = new Set();
      this.#taken(affected, revision.number);
    }
  }
}

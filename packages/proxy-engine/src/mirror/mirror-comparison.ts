// One mirrored request: waits for the answer of the service and those of its mirrors, and compares them. Only requests
// that are mirrored have one; it keeps digests, never bodies.

import { createHash, type Hash } from "node:crypto";
import type { MirrorAnswer, MirrorPair, MirrorTable } from "./mirror-table.ts";

/** Share of mirrored requests whose bodies are compared too. */
export const BODY_SHARE = 0.1;

/** One side's answer as it comes. */
export class AnswerWatch {
  readonly #hash: Hash | undefined;
  readonly #done: (answer: MirrorAnswer | undefined) => void;
  #over = false;

  constructor(isSampled: boolean, done: (answer: MirrorAnswer | undefined) => void) {
    this.#hash = isSampled ? createHash("sha256") : undefined;
    this.#done = done;
  }

  body(buf: Buffer, start: number, end: number): void {
    if (!this.#over) this.#hash?.update(buf.subarray(start, end));
  }

  /** The answer is over. `isWhole`: its body came to its end. */
  end(status: number, latencyMs: number, isWhole: boolean): void {
    if (this.#over) return;
    this.#over = true;
    const digest = isWhole ? this.#hash?.digest("base64") : undefined;
    this.#done({ status, latencyMs, digest });
  }

  /** There is nothing to compare: the request was given up by the client or the proxy, not by who answers. */
  giveUp(): void {
    if (this.#over) return;
    this.#over = true;
    this.#done(undefined);
  }
}

/** The comparison of one request. */
export class MirrorComparison {
  readonly primary: AnswerWatch;
  readonly #table: MirrorTable;
  readonly #isSampled: boolean;
  #answer: MirrorAnswer | undefined = undefined;
  #isGivenUp = false;
  #waiting: { readonly pair: MirrorPair; readonly answer: MirrorAnswer }[] = [];

  constructor(table: MirrorTable, random: number) {
    this.#table = table;
    this.#isSampled = random < BODY_SHARE;
    this.primary = new AnswerWatch(this.#isSampled, (answer) => this.#onPrimary(answer));
  }

  /** Watches the answer of a mirror. */
  watch(pair: MirrorPair): AnswerWatch {
    return new AnswerWatch(this.#isSampled, (answer) => {
      if (answer === undefined || this.#isGivenUp) return;
      if (this.#answer === undefined) this.#waiting.push({ pair, answer });
      else this.#table.record(pair, this.#answer, answer);
    });
  }

  #onPrimary(answer: MirrorAnswer | undefined): void {
    this.#answer = answer;
    this.#isGivenUp = answer === undefined;
    if (answer !== undefined)
      for (const mirror of this.#waiting) this.#table.record(mirror.pair, answer, mirror.answer);
    this.#waiting = [];
  }
}

// What the lead of a proxy's processes asks the others, so that they report as one.

import type { Clock, Timer } from "@ripstop/core";
import type { WorkerQuestion } from "@ripstop/model";
import type { ProxyProcess } from "./proxy-process.ts";

/** A process that does not answer within this time is left out. */
const ANSWER_MS = 2_000;
/** Questions under way; more are answered with nothing. */
const MAX_OPEN = 32;

interface Answer {
  readonly slot: number;
  readonly pid: number;
  readonly answer: unknown;
}

interface Open {
  readonly askedBy: ProxyProcess;
  /** The asker's own number. */
  readonly askerId: number;
  readonly missing: Set<ProxyProcess>;
  readonly answers: Answer[];
  readonly timer: Timer;
}

/** Carries questions and answers. */
export class WorkerQuestions {
  readonly #clock: Clock;
  readonly #open = new Map<number, Open>();
  #nextId = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Passes a question on to all others; the asker gets all answers together. */
  ask(
    askedBy: ProxyProcess,
    all: readonly ProxyProcess[],
    message: { readonly id: number; readonly question: WorkerQuestion },
  ): void {
    const others = all.filter((process) => process !== askedBy && process.listening);
    if (others.length === 0 || this.#open.size >= MAX_OPEN) {
      askedBy.send({ type: "answers", id: message.id, answers: [] });
      return;
    }
    const id = this.#nextId++;
    const { question } = message;
    const timeMs = ANSWER_MS + (question.what === "drain" ? question.deadlineMs : 0);
    const timer = this.#clock.after(timeMs, () => this.#finish(id));
    this.#open.set(id, { askedBy, askerId: message.id, missing: new Set(others), answers: [], timer });
    for (const process of others) process.send({ type: "ask", id, question });
  }

  /** Takes the answer of one of them. */
  answer(from: ProxyProcess, { id, answer }: { readonly id: number; readonly answer: unknown }): void {
    const open = this.#open.get(id);
    if (open === undefined || !open.missing.delete(from)) return;
    open.answers.push({ slot: from.slot, pid: from.pid ?? 0, answer });
    if (open.missing.size === 0) this.#finish(id);
  }

  /** A process is gone: nobody waits for it any more. */
  gone(process: ProxyProcess): void {
    for (const [id, open] of this.#open) {
      if (open.askedBy === process) {
        open.timer.clear();
        this.#open.delete(id);
      } else if (open.missing.delete(process) && open.missing.size === 0) {
        this.#finish(id);
      }
    }
  }

  #finish(id: number): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    open.timer.clear();
    open.askedBy.send({ type: "answers", id: open.askerId, answers: open.answers });
  }
}

// Follows one EndpointSource: asks, keeps the last set over failures and over a mass disappearance, and says how it stands.

import { Backoff, type Clock, type Timer } from "@ripstop/core";

import { massExpiry } from "../registry/mass-expiry.ts";
import { instanceId, type ImportedInstance, type ImportSource } from "./import-source.ts";

/** An instance that is kept. */
export interface KeptInstance extends ImportedInstance {
  /** By the wall clock: the source does not name it any more since then, and it is held. */
  readonly missingSinceMs?: number;
}

/** What is known of a source; shared with the other control planes. */
export interface ImportRecord {
  /** Of the resource that this belongs to. */
  readonly uid: string;
  readonly instances: readonly KeptInstance[];
  /** Whether the last question was answered: "" before the first one. */
  readonly outcome: "" | "answered" | "failed";
  /** When the outcome last changed. */
  readonly sinceMs: number;
  /** In words: why it failed, or what was left out. */
  readonly message: string;
  /** When the set of instances last changed; 0 before the first answer. */
  readonly changedMs: number;
}

/** What a follower needs. */
export interface FollowerOptions {
  readonly uid: string;
  readonly source: ImportSource;
  readonly clock: Clock;
  /** What is known to begin with. */
  readonly record: ImportRecord | undefined;
  /** Something of the record changed. `gone`: ids of the instances that went. */
  changed(record: ImportRecord, gone: readonly string[]): void;
  /** A question failed. */
  failed?(): void;
  /** A source of numbers in [0, 1) for the times between tries; default Math.random. */
  readonly random?: () => number;
}

/** As for workloads: many that disappear together are held so long. */
const HOLD_MS = 600_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

/** The record of a source that was never asked. */
export function newRecord(uid: string, nowMs: number): ImportRecord {
  return { uid, instances: [], outcome: "", sinceMs: nowMs, message: "", changedMs: 0 };
}

/** Asks until closed. */
export class ImportFollower {
  readonly #options: FollowerOptions;
  readonly #closed = new AbortController();
  readonly #backoff: Backoff;
  #record: ImportRecord;
  #timer: Timer | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    const { random } = options;
    this.#backoff = new Backoff({
      initialMs: FIRST_RETRY_MS,
      maxMs: MAX_RETRY_MS,
      ...(random === undefined ? {} : { random }),
    });
    this.#record = options.record ?? newRecord(options.uid, options.clock.nowMs());
    this.#ask();
  }

  /** No further question; one under way is given up. */
  close(): void {
    this.#closed.abort();
    this.#timer?.clear();
  }

  #ask(): void {
    const { signal } = this.#closed;
    void this.#options.source.ask(signal).then((answer) => {
      if (signal.aborted) return;
      let againMs: number;
      if (answer.ok) {
        this.#backoff.reset();
        this.#take(answer.value.instances, answer.value.note);
        ({ againMs } = answer.value);
      } else {
        this.#options.failed?.();
        const kept = this.#record.instances.length;
        this.#say("failed", kept === 0 ? answer.error : `${answer.error}; the last ${kept} instances stay`);
        againMs = this.#backoff.next();
      }
      this.#timer = this.#options.clock.after(againMs, () => this.#ask());
    });
  }

  #take(found: readonly ImportedInstance[], note: string): void {
    const nowMs = this.#options.clock.nowMs();
    const present = new Set(found.map(instanceId));
    const missing = this.#record.instances
      .filter((one) => !present.has(instanceId(one)))
      .map((one) => ({ one, deadlineMs: one.missingSinceMs ?? nowMs }));
    const { gone, held } = massExpiry(missing, {
      total: found.length + missing.length,
      nowMs,
      holdMs: HOLD_MS,
      isDead: () => false,
    });
    const instances: KeptInstance[] = [
      ...found,
      ...held.map(({ one, deadlineMs }) => ({ ...one, missingSinceMs: deadlineMs })),
    ].sort((a, b) => (instanceId(a) < instanceId(b) ? -1 : 1));
    const notes = [
      note,
      held.length > 0 ? `${held.length} instances that disappeared at once are kept for up to 10 minutes` : "",
    ];
    const message = notes.filter((one) => one !== "").join("; ");
    const isSame = JSON.stringify(instances) === JSON.stringify(this.#record.instances);
    if (!isSame) this.#record = { ...this.#record, instances, changedMs: nowMs };
    this.#say("answered", message, isSame ? undefined : gone.map(({ one }) => instanceId(one)));
  }

  /** Tells of a change; `gone` is there when the instances are others. */
  #say(outcome: ImportRecord["outcome"], message: string, gone?: readonly string[]): void {
    const before = this.#record;
    if (before.outcome === outcome && before.message === message && gone === undefined) return;
    const sinceMs = before.outcome === outcome ? before.sinceMs : this.#options.clock.nowMs();
    this.#record = { ...before, outcome, message, sinceMs };
    this.#options.changed(this.#record, gone ?? []);
  }
}

// Holds down instances that come and go too often. Every control plane counts what it sees; the leader decides, and who is
// held is in a table of the store, so that all compile the same and who leads next goes on from it.

import type { Clock, Timer } from "@ripstop/core";
import type { Logger } from "@ripstop/telemetry";

import type { EventLog } from "../events/event-log.ts";
import type { Replication, Table } from "../store/store.ts";
import { HOLD_ABOVE, penaltyAt, punished, releaseMs, type Penalty } from "./penalty.ts";

/** An instance that is held down, as the table has it. */
export interface HeldRecord extends Penalty {
  /** How often it went away since it was last forgotten. */
  readonly times: number;
}

/** What the damper needs. */
export interface FlapDamperOptions {
  readonly clock: Clock;
  readonly table: Table<HeldRecord>;
  readonly events: EventLog;
  readonly replication?: Replication | undefined;
  readonly logger?: Logger;
}

/** Most instances whose penalty is remembered; the one that was quiet longest goes first. */
const MAX_TRACKED = 20_000;
/** Most that are held down at the same time: each is a write to the store, and an event. */
const MAX_HELD = 1_000;
/** A smaller penalty is forgotten. */
const FORGET_BELOW = 0.1;
const SWEEP_MS = 60_000;

/** Penalties by key: what names an instance through its comings and goings. */
export class FlapDamper {
  readonly #options: FlapDamperOptions;
  /** In the order of their last change. */
  readonly #tracked = new Map<string, HeldRecord>();
  readonly #held = new Map<string, HeldRecord>();
  readonly #listeners = new Set<(keys: readonly string[]) => void>();
  readonly #stops: (() => void)[] = [];
  #release: Timer | undefined;
  #wasLeading: boolean;

  constructor(options: FlapDamperOptions) {
    this.#options = options;
    const { clock, table, replication } = options;
    for (const [key, record] of table.entries()) this.#held.set(key, record);
    this.#stops.push(
      table.watch((key, record) => {
        if (this.#leads) return;
        this.#put(key, record);
      }),
    );
    const sweep = clock.every(SWEEP_MS, () => this.#sweep());
    this.#stops.push(() => sweep.clear());
    if (replication !== undefined) this.#stops.push(replication.onChange(() => this.#roleMayHaveChanged()));
    this.#wasLeading = this.#leads;
    this.#schedule();
  }

  /** How many are held down. */
  get size(): number {
    return this.#held.size;
  }

  /** How many penalties are remembered. */
  get tracked(): number {
    return this.#tracked.size;
  }

  /** The penalty that an instance is held down for; 0 when it is not. */
  penaltyOf(key: string): number {
    const record = this.#held.get(key);
    return record === undefined ? 0 : penaltyAt(record, this.#options.clock.nowMs());
  }

  /** Until when it is held down (wall clock), and how often it went away; undefined when it is not. */
  holding(key: string): { readonly untilMs: number; readonly times: number } | undefined {
    const record = this.#held.get(key);
    return record === undefined ? undefined : { untilMs: Math.round(releaseMs(record)), times: record.times };
  }

  /** The instances went away. */
  wentAway(keys: readonly string[]): void {
    const nowMs = this.#options.clock.nowMs();
    const changed: string[] = [];
    for (const key of keys) {
      const before = this.#tracked.get(key) ?? this.#held.get(key);
      const after = { ...punished(before, nowMs), times: (before?.times ?? 0) + 1 };
      this.#tracked.delete(key);
      this.#tracked.set(key, after);
      const isHeld = this.#held.has(key);
      if (!this.#leads || (!isHeld && (after.value <= HOLD_ABOVE || this.#held.size >= MAX_HELD))) continue;
      if (!isHeld) this.#tellHeld(key, after);
      this.#held.set(key, after);
      this.#write(key, after);
      changed.push(key);
    }
    for (const oldest of this.#tracked.keys()) {
      if (this.#tracked.size <= MAX_TRACKED) break;
      this.#tracked.delete(oldest);
    }
    if (changed.length > 0) this.#changed(changed);
  }

  /** Calls `listener` with the keys of those that were held down or let go; returns how to stop. */
  onChange(listener: (keys: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Nothing is counted or let go any more; the table stays. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#release?.clear();
    this.#listeners.clear();
  }

  get #leads(): boolean {
    return this.#options.replication?.isLeader ?? true;
  }

  #roleMayHaveChanged(): void {
    const wasLeading = this.#wasLeading;
    this.#wasLeading = this.#leads;
    if (wasLeading && !this.#leads) {
      // From now on the table knows better.
      const keys = new Set(this.#held.keys());
      this.#held.clear();
      for (const [key, record] of this.#options.table.entries()) this.#held.set(key, record);
      for (const key of this.#held.keys()) keys.add(key);
      this.#changed([...keys]);
    } else this.#schedule();
  }

  #put(key: string, record: HeldRecord | undefined): void {
    if (record === undefined) this.#held.delete(key);
    else this.#held.set(key, record);
    this.#changed([key]);
  }

  #changed(keys: readonly string[]): void {
    this.#schedule();
    for (const listener of [...this.#listeners]) listener(keys);
  }

  /** Wakes up when the first of them is to be let go. */
  #schedule(): void {
    this.#release?.clear();
    this.#release = undefined;
    if (!this.#leads || this.#held.size === 0) return;
    const { clock } = this.#options;
    let firstMs = Infinity;
    for (const record of this.#held.values()) firstMs = Math.min(firstMs, releaseMs(record));
    this.#release = clock.after(Math.max(1, Math.ceil(firstMs - clock.nowMs())), () => this.#letGo());
  }

  #letGo(): void {
    if (!this.#leads) return;
    const nowMs = this.#options.clock.nowMs();
    const released: string[] = [];
    for (const [key, record] of this.#held) {
      if (releaseMs(record) > nowMs) continue;
      this.#held.delete(key);
      this.#write(key, undefined);
      released.push(key);
      this.#options.events.add({
        severity: "info",
        type: "InstanceLetGo",
        subject: key,
        message: `${key} gets requests again: it stayed for long enough.`,
      });
    }
    if (released.length > 0) this.#changed(released);
    else this.#schedule();
  }

  #tellHeld(key: string, record: HeldRecord): void {
    const seconds = Math.round((releaseMs(record) - this.#options.clock.nowMs()) / 1_000);
    this.#options.events.add({
      severity: "warning",
      type: "InstanceHeldDown",
      subject: key,
      message: `${key} went away ${record.times} times within minutes: it gets no requests for ${seconds} s, while enough others are there.`,
    });
  }

  #sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [key, record] of this.#tracked) if (penaltyAt(record, nowMs) < FORGET_BELOW) this.#tracked.delete(key);
  }

  #write(key: string, record: HeldRecord | undefined): void {
    const { table, logger } = this.#options;
    (record === undefined ? table.remove(key) : table.put(key, record)).catch((error: unknown) => {
      // It holds here; the other control planes see it with its next change.
      logger?.error("who is held down could not be stored", { key, error: String(error) });
    });
  }
}

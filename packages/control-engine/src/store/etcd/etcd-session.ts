// A control plane's place among those that share one etcd: a lease that it renews while it lives, under it what it says
// of itself, and, on one of them, the leadership. Leadership is only believed while the lease is sure not to have ended.

import { randomInt } from "node:crypto";

import type { Clock, Timer } from "@ripstop/core";
import type { etcd } from "@ripstop/model";

import type { ReplicaRecord } from "../store.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { rangeEndOf, type EtcdKeys } from "./etcd-keys.ts";

/** What a session needs. */
export interface EtcdSessionOptions {
  readonly id: string;
  readonly client: EtcdClient;
  readonly keys: EtcdKeys;
  readonly clock: Clock;
}

/** How long a replica that died is still believed to be there. */
const TTL_S = 5;
const RENEW_MS = 1_000;
/** Of each question to a member. */
const CALL_MS = 1_500;
/** The lease ends this much earlier for its holder than for the others. */
const MARGIN_MS = 1_000;
/** Without an answer for so long the replica counts as cut off. */
const CUT_OFF_MS = 2_500;
const MAX_LEASE = 2 ** 47;
const MAX_REPLICAS = 64;

/** One replica's session. */
export class EtcdSession {
  readonly id: string;
  readonly #options: EtcdSessionOptions;
  readonly #replicas = new Map<string, ReplicaRecord>();
  readonly #listeners = new Set<() => void>();
  readonly #timer: Timer;
  #record: Omit<ReplicaRecord, "id"> | undefined;
  /** What of it is in etcd, under the present lease. */
  #announced = "";
  #lease = 0;
  /** Monotonic time until which the lease is sure to live. */
  #sureUntilMs = Number.NEGATIVE_INFINITY;
  #answeredMs: number;
  /** "ID LEASE" */
  #leader = "";
  #working: Promise<void> | undefined;
  #wasCutOff = false;
  #wasLeader = false;
  #closed = false;

  constructor(options: EtcdSessionOptions) {
    this.#options = options;
    this.id = options.id;
    this.#answeredMs = options.clock.monotonicMs();
    this.#timer = options.clock.every(RENEW_MS, () => void this.renew());
  }

  get isLeader(): boolean {
    return this.#lease !== 0 && this.#leader === this.#mark && this.#options.clock.monotonicMs() < this.#sureUntilMs;
  }

  get leader(): string {
    return this.#leader.split(" ")[0] ?? "";
  }

  get replicas(): readonly ReplicaRecord[] {
    return [...this.#replicas.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  get cutOffMs(): number {
    const silentMs = this.#options.clock.monotonicMs() - this.#answeredMs;
    return silentMs < CUT_OFF_MS ? 0 : silentMs;
  }

  /** Says what others see; written with the next renewal, at once when there is a lease. */
  announce(record: Omit<ReplicaRecord, "id">): void {
    this.#record = record;
    if (this.#announced !== JSON.stringify(record)) void this.renew();
  }

  /** Calls `listener` after replicas, leader or the connection changed; returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads who is there, as of a revision of etcd (0: now). */
  async load(revision: number): Promise<void> {
    const { client, keys } = this.#options;
    const range = { limit: MAX_REPLICAS, revision, keysOnly: false };
    const key = Buffer.from(keys.replica);
    const replicas = await client.range({ ...range, key, rangeEnd: rangeEndOf(keys.replica) });
    this.#replicas.clear();
    for (const kv of replicas.kvs) this.#take(Buffer.from(kv.key).toString(), kv.value);
    const leader = await client.range({ ...range, key: Buffer.from(keys.leader), rangeEnd: Buffer.alloc(0) });
    this.#leader = Buffer.from(leader.kvs[0]?.value ?? "").toString();
    this.#changed();
  }

  /** A key was put, or removed (undefined); true when it was one of the session's. */
  onEvent(key: string, value: Buffer | undefined): boolean {
    const { keys } = this.#options;
    if (key === keys.leader) {
      this.#leader = value === undefined ? "" : Buffer.from(value).toString();
      this.#changed();
      if (value === undefined) void this.renew();
      return true;
    }
    if (!key.startsWith(keys.replica)) return false;
    this.#take(key, value);
    // The lease ended while this one was cut off.
    if (value === undefined && key === `${keys.replica}${this.id}`) this.#announced = "";
    this.#changed();
    return true;
  }

  /** Renews the lease, or gets a new one; says what is to be said; stands for leader when there is none. */
  renew(): Promise<void> {
    this.#working ??= this.#renew()
      .catch(() => undefined)
      .finally(() => {
        this.#working = undefined;
        this.#changedIfNeeded();
      });
    return this.#working;
  }

  /** Leaves at once: the others see it, and one of them leads. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer.clear();
    this.#listeners.clear();
    await this.#working;
    const lease = this.#lease;
    this.#lease = 0;
    if (lease !== 0) await this.#options.client.revokeLease(lease, CALL_MS).catch(() => undefined);
  }

  get #mark(): string {
    return `${this.id} ${this.#lease}`;
  }

  async #renew(): Promise<void> {
    if (this.#closed) return;
    const { client, clock, keys } = this.#options;
    let askedMs = clock.monotonicMs();
    if (this.#lease !== 0) {
      const ttl = await client.renewLease(this.#lease, CALL_MS);
      this.#answeredMs = clock.monotonicMs();
      if (ttl > 0) this.#sureUntilMs = askedMs + ttl * 1000 - MARGIN_MS;
      else this.#lease = 0;
    }
    if (this.#lease === 0) {
      const lease = randomInt(1, MAX_LEASE);
      askedMs = clock.monotonicMs();
      await client.grantLease(lease, TTL_S, CALL_MS);
      this.#answeredMs = clock.monotonicMs();
      this.#sureUntilMs = askedMs + TTL_S * 1000 - MARGIN_MS;
      this.#lease = lease;
      this.#announced = "";
    }
    const text = JSON.stringify(this.#record);
    if (this.#record !== undefined && text !== this.#announced) {
      await client.txn({ compare: [], success: [put(`${keys.replica}${this.id}`, text, this.#lease)], failure: [] });
      this.#announced = text;
    }
    if (this.#leader === "") await this.#stand();
  }

  async #stand(): Promise<void> {
    const { client, keys } = this.#options;
    const mark = this.#mark;
    const done = await client.txn({
      compare: [
        { result: 0, target: 1, key: Buffer.from(keys.leader), targetUnion: { $case: "createRevision", value: 0 } },
      ],
      success: [put(keys.leader, mark, this.#lease)],
      failure: [],
    });
    if (done.succeeded) this.#leader = mark;
  }

  #take(key: string, value: Buffer | undefined): void {
    const id = key.slice(this.#options.keys.replica.length);
    if (value === undefined) this.#replicas.delete(id);
    else if (this.#replicas.has(id) || this.#replicas.size < MAX_REPLICAS)
      this.#replicas.set(id, { ...(JSON.parse(Buffer.from(value).toString()) as Omit<ReplicaRecord, "id">), id });
  }

  #changedIfNeeded(): void {
    if (this.#wasCutOff !== this.cutOffMs > 0 || this.#wasLeader !== this.isLeader) this.#changed();
  }

  #changed(): void {
    this.#wasCutOff = this.cutOffMs > 0;
    this.#wasLeader = this.isLeader;
    for (const listener of [...this.#listeners]) listener();
  }
}

function put(key: string, text: string, lease: number): etcd.RequestOp {
  return { request: { $case: "requestPut", value: { key: Buffer.from(key), value: Buffer.from(text), lease } } };
}

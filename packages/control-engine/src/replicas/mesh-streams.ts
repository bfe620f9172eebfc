// The config streams of the whole mesh: what this control plane has, and what the others say of theirs when they are
// asked. Nothing is shared in advance, so that nobody pays for a question that nobody puts. One that does not answer is
// named, with the proxies that it last said it had.

import type { Clock, Result } from "@ripstop/core";
import type { LiveStatus, ProxyList, ProxyView, ReplicaLive, UnknownReplica } from "@ripstop/model";

import type { ReplicaRecord, Replication } from "../store/store.ts";
import { NOTHING_LISTENS } from "./ask-peer.ts";
import { peerPaths } from "./peer-routes.ts";

/** The streams of one control plane. */
export interface OwnStreams {
  proxies(): readonly ProxyView[];
  /** How far a revision has come, after waiting up to `waitMs` until it is here and all have answered. */
  waitProgress(revision: number, waitMs: number): Promise<ReplicaLive>;
}

/** What is needed. */
export interface MeshStreamsOptions {
  readonly own: OwnStreams;
  readonly clock: Clock;
  /** Absent: there are no others. */
  readonly replication: Pick<Replication, "id" | "replicas" | "onChange"> | undefined;
  /** The answer to GET `path` at a join address, or why there is none. */
  ask<Answer>(
    to: { readonly address: string; readonly path: string },
    patienceMs: number,
  ): Promise<Result<Answer, string>>;
  /** How long another may take, beyond what it was asked to wait; default 10 s. */
  readonly patienceMs?: number;
}

/** What the others said. */
export interface Said<T> {
  readonly answers: readonly { readonly replica: string; readonly answer: T }[];
  readonly unknown: readonly UnknownReplica[];
}

/** A control plane at which a whole mesh arrives is slow, not away. */
const PATIENCE_MS = 10_000;
/** Proxies leave one that they cannot reach within four seconds; after these nobody is at one that is gone. */
const LEFT_BEHIND_MS = 10_000;
const MAX_LEFT = 64;

/** The streams of all. */
export class MeshStreams {
  readonly #options: MeshStreamsOptions;
  readonly #stop: () => void;
  readonly #listeners = new Set<() => void>();
  #known: ReadonlyMap<string, ReplicaRecord> = new Map();
  /**
   * Those that the store does not name any more, until they do not answer either: one that etcd does not hear of may go
   * on serving its streams.
   */
  readonly #left = new Map<string, { readonly record: ReplicaRecord; readonly sinceMs: number }>();

  constructor(options: MeshStreamsOptions) {
    this.#options = options;
    this.#onChange();
    this.#stop = options.replication?.onChange(() => this.#onChange()) ?? (() => undefined);
  }

  get #patienceMs(): number {
    return this.#options.patienceMs ?? PATIENCE_MS;
  }

  /** Every config stream of the mesh. */
  async proxies(): Promise<ProxyList> {
    const { own, replication } = this.#options;
    if (replication === undefined) return { proxies: own.proxies() };
    const { answers, unknown } = await this.ask<ProxyList>(peerPaths.proxies, 0);
    const list = [
      ...own.proxies().map((one) => ({ ...one, replica: replication.id })),
      ...answers.flatMap(({ replica, answer }) => answer.proxies.map((one) => ({ ...one, replica }))),
    ];
    return { proxies: list, ...named(unknown) };
  }

  /** How far a revision has come in the mesh, after waiting up to `waitMs` until it is everywhere. */
  async waitLive(revision: number, waitMs: number): Promise<LiveStatus> {
    const { own: here, replication } = this.#options;
    const [own, others] = await Promise.all([
      here.waitProgress(revision, waitMs),
      this.ask<ReplicaLive>(peerPaths.live(revision, waitMs), waitMs),
    ]);
    const behind = others.answers.filter(({ answer }) => !answer.reached);
    const self = { id: replication?.id ?? "", streamAddress: "", proxies: here.proxies().length };
    const unknown = [
      ...(own.reached ? [] : [{ ...self, reason: `revision ${revision} is not compiled yet` }]),
      ...others.unknown,
      ...behind.map(({ replica }) => this.#unknown(replica, `revision ${revision} has not come to it yet`)),
    ];
    const arrived = others.answers.filter(({ answer }) => answer.reached).map(({ answer }) => answer);
    return { ...mergeLive(revision, [own, ...arrived]), ...named(unknown) };
  }

  /** Id of this control plane among several; undefined when it is alone. */
  get id(): string | undefined {
    return this.#options.replication?.id;
  }

  /**
   * What the others answer to GET `path`, which may take `waitMs` there; and those who do not answer within
   * `patienceMs` beyond that.
   */
  async ask<Answer>(path: string, waitMs: number, patienceMs: number = this.#patienceMs): Promise<Said<Answer>> {
    const { clock } = this.#options;
    const askedMs = clock.monotonicMs();
    const asked = await Promise.all(
      this.#others().map(async ({ id, joinAddress: address }) => ({
        id,
        said: await this.#options.ask<Answer>({ address, path }, waitMs + patienceMs),
      })),
    );
    const answers: { readonly replica: string; readonly answer: Answer }[] = [];
    const unknown: UnknownReplica[] = [];
    for (const { id, said } of asked) {
      if (said.ok) answers.push({ replica: id, answer: said.value });
      else if (!this.#isGone(id, said.error, { askedMs, isPatient: patienceMs >= this.#patienceMs }))
        unknown.push(this.#unknown(id, said.error));
    }
    return { answers, unknown };
  }

  /** The others that the store names. */
  get present(): readonly ReplicaRecord[] {
    return [...this.#known.values()];
  }

  /** Calls `listener` when `present` may have changed; returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#stop();
  }

  #others(): readonly ReplicaRecord[] {
    const { replication } = this.#options;
    const present = (replication?.replicas ?? []).filter(({ id }) => id !== replication?.id);
    const addresses = new Set(present.map(({ joinAddress }) => joinAddress));
    const left = [...this.#left.values()].filter(({ record }) => !addresses.has(record.joinAddress));
    return [...present, ...left.map(({ record }) => record)];
  }

  /**
   * One that neither the store nor its own address speaks of, and whose proxies have had the time to go. Who was given
   * little time to answer is asked again.
   */
  #isGone(id: string, reason: string, asked: { readonly askedMs: number; readonly isPatient: boolean }): boolean {
    const left = this.#left.get(id);
    if (left === undefined) return false;
    const isClosed = reason === NOTHING_LISTENS;
    const isGone = isClosed || asked.askedMs - left.sinceMs >= LEFT_BEHIND_MS;
    if (isClosed || (isGone && asked.isPatient)) this.#left.delete(id);
    return isGone;
  }

  #unknown(id: string, reason: string): UnknownReplica {
    const record = this.#known.get(id) ?? this.#left.get(id)?.record;
    return { id, streamAddress: record?.streamAddress ?? "", proxies: record?.proxies ?? 0, reason };
  }

  #onChange(): void {
    const { replication, clock } = this.#options;
    if (replication === undefined) return;
    const now = new Map(replication.replicas.filter(({ id }) => id !== replication.id).map((one) => [one.id, one]));
    for (const [id, record] of this.#known)
      if (!now.has(id) && this.#left.size < MAX_LEFT) this.#left.set(id, { record, sinceMs: clock.monotonicMs() });
    for (const id of now.keys()) this.#left.delete(id);
    this.#known = now;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** A proxy whose workers are at several control planes has a revision when all of them have it, and refused it when one did. */
export function mergeLive(revision: number, parts: readonly ReplicaLive[]): LiveStatus {
  const rejected = new Map(
    parts.flatMap((part) => part.rejected.map(({ proxyId, reason }) => [proxyId, reason] as const)),
  );
  const pending = new Set(parts.flatMap((part) => part.pending).filter((proxyId) => !rejected.has(proxyId)));
  const total = new Set(parts.flatMap(({ concerned }) => concerned)).size;
  return {
    revision,
    total,
    live: total - pending.size - rejected.size,
    pending: [...pending],
    rejected: [...rejected].map(([proxyId, reason]) => ({ proxyId, reason })),
    elapsedMs: Math.max(...parts.map(({ elapsedMs }) => elapsedMs)),
  };
}

function named(unknown: readonly UnknownReplica[]): { readonly unknown?: readonly UnknownReplica[] } {
  return unknown.length === 0 ? {} : { unknown };
}

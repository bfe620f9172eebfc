// What a control plane does as one of several: says what the others should see of it, knows where they are, and asks
// proxies to move when another has fewer.

import type { Clock, Timer } from "@ripstop/core";
import type { ReplicaAddresses, ReplicaView } from "@ripstop/model";

import type { EventLog } from "../events/event-log.ts";
import type { Replication, ReplicaRecord } from "../store/store.ts";
import { streamsToMove } from "./stream-balance.ts";

/** What the keeper needs. */
export interface ReplicaKeeperOptions {
  readonly replication: Replication;
  readonly clock: Clock;
  readonly events: EventLog;
  /** What others should see, as of now. */
  record(): Omit<ReplicaRecord, "id">;
  /** Ids of the proxies that are connected here. */
  proxies(): Iterable<string>;
  /** Ends the streams of a proxy, so that it goes to another control plane. */
  move(proxyId: string): void;
  /** A source of numbers in [0, 1). */
  random(): number;
}

const LOOK_MS = 2_000;
/** Proxies reconnect within seconds after a control plane came or went; only then the spread is looked at. */
const SETTLED_MS = 10_000;

/** One for a control plane. */
export class ReplicaKeeper {
  readonly #options: ReplicaKeeperOptions;
  readonly #timer: Timer;
  readonly #stop: () => void;
  readonly #moving = new Set<Timer>();
  #ids = "";
  #settledMs = 0;
  #isCutOff = false;
  #isLeader = false;

  constructor(options: ReplicaKeeperOptions) {
    this.#options = options;
    this.announce();
    this.#onChange();
    this.#timer = options.clock.every(LOOK_MS, () => {
      this.announce();
      this.#spread();
    });
    this.#stop = options.replication.onChange(() => this.#onChange());
  }

  /** Says at once what others should see; nothing when they see it already. */
  announce(): void {
    this.#options.replication.announce(this.#options.record());
  }

  /** Where all can be reached, this one first. */
  get addresses(): ReplicaAddresses {
    const { replication } = this.#options;
    const own = { ...this.#options.record(), id: replication.id };
    const all = [own, ...replication.replicas.filter(({ id }) => id !== own.id)];
    return {
      streams: all.map(({ streamAddress }) => streamAddress).filter((address) => address !== ""),
      joins: all.map(({ joinAddress }) => joinAddress).filter((address) => address !== ""),
    };
  }

  /** All that are there, for people. */
  get views(): readonly ReplicaView[] {
    const { replication } = this.#options;
    return replication.replicas.map(({ rootSha256: _, ...one }) => ({
      ...one,
      leader: one.id === replication.leader,
      self: one.id === replication.id,
    }));
  }

  /** Nothing is said or moved any more. */
  close(): void {
    this.#timer.clear();
    this.#stop();
    for (const timer of this.#moving) timer.clear();
  }

  #onChange(): void {
    const { replication, clock, events } = this.#options;
    const ids = replication.replicas.map(({ id }) => id).join();
    if (ids !== this.#ids) {
      this.#ids = ids;
      this.#settledMs = clock.monotonicMs() + SETTLED_MS;
    }
    const isCutOff = replication.cutOffMs > 0;
    if (isCutOff !== this.#isCutOff) {
      this.#isCutOff = isCutOff;
      events.add({
        severity: isCutOff ? "warning" : "info",
        type: isCutOff ? "ReplicaCutOff" : "ReplicaBack",
        subject: replication.id,
        message: isCutOff
          ? "etcd does not answer this control plane; streams go on with the last config, reads are marked, heartbeats and renewals are refused."
          : "etcd answers this control plane again.",
      });
    }
    const { isLeader } = replication;
    if (isLeader === this.#isLeader) return;
    this.#isLeader = isLeader;
    if (isLeader)
      events.add({
        severity: "info",
        type: "ReplicaLeads",
        subject: replication.id,
        message: "This control plane leads: it does what only one of several may do.",
      });
  }

  /** Each that moves does so at a time of its own within the period. */
  #spread(): void {
    const { replication, clock } = this.#options;
    if (replication.cutOffMs > 0 || clock.monotonicMs() < this.#settledMs) return;
    const ids = [...this.#options.proxies()];
    const others = replication.replicas.filter(({ id }) => id !== replication.id).map(({ proxies }) => proxies);
    for (let left = streamsToMove({ own: ids.length, others }); left > 0 && ids.length > 0; left--) {
      const [proxyId] = ids.splice(Math.floor(this.#options.random() * ids.length), 1);
      if (proxyId === undefined) return;
      const timer = clock.after(this.#options.random() * LOOK_MS * 0.9, () => {
        this.#moving.delete(timer);
        this.#options.move(proxyId);
      });
      this.#moving.add(timer);
    }
  }
}

// Keeps a workload known to the control plane: reports its state at once when it changes, and as a heartbeat.

import { Backoff, type Clock, type Timer } from "@ripstop/core";
import type { HeartbeatResponse, WorkloadStatus } from "@ripstop/model";
import type { ApiFailure, ControlApi } from "./control-api.ts";

/** What the keeper needs from its owner. */
export interface LeaseEvents {
  /** The control plane does not know the workload any more: register it again under the same id. Resolves to whether that worked. */
  onForgotten(): Promise<boolean>;
  /** The answer to a heartbeat: it may hold a new trust bundle, or the wish that the SVID be renewed. */
  onAnswer(answer: HeartbeatResponse): void;
  /** The control plane went away, or came back. Called once per change. */
  onReachable(reachable: boolean, failure: ApiFailure | undefined): void;
}

/** Sends one report at a time; the newest state wins. */
export class LeaseKeeper {
  readonly #api: ControlApi;
  readonly #workloadId: string;
  readonly #clock: Clock;
  readonly #events: LeaseEvents;
  readonly #backoff = new Backoff({ initialMs: 200, maxMs: 2_000 });
  #leaseMs: number;
  #status: WorkloadStatus = { inboundAddress: "", ready: false };
  #timer: Timer | undefined;
  #sending = false;
  #dirty = false;
  #reachable = true;
  #closed = false;
  #waiters: (() => void)[] = [];

  constructor(api: ControlApi, workloadId: string, leaseMs: number, clock: Clock, events: LeaseEvents) {
    this.#api = api;
    this.#workloadId = workloadId;
    this.#leaseMs = leaseMs;
    this.#clock = clock;
    this.#events = events;
  }

  /** The state as last set here. */
  get status(): WorkloadStatus {
    return this.#status;
  }

  /** Changes the state and reports it at once; kept when a report with it was answered, or could not be. */
  update(change: Partial<WorkloadStatus>): Promise<void> {
    this.#status = { ...this.#status, ...change };
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#dirty = true;
      void this.#send();
    });
  }

  /** No further report is sent. */
  close(): void {
    this.#closed = true;
    this.#timer?.clear();
    this.#release();
  }

  async #send(): Promise<void> {
    if (this.#sending || this.#closed) return;
    this.#sending = true;
    this.#timer?.clear();
    let delayMs = this.#leaseMs / 3;
    do {
      this.#dirty = false;
      const waiters = this.#waiters;
      this.#waiters = [];
      // oxlint-disable-next-line no-await-in-loop -- one report at a time is the point of the loop
      delayMs = await this.#report();
      for (const waiter of waiters) waiter();
    } while (this.#dirty && !this.#closed);
    this.#sending = false;
    if (!this.#closed) this.#timer = this.#clock.after(delayMs, () => void this.#send());
  }

  /** Returns when to report next. */
  async #report(): Promise<number> {
    const answer = await this.#api.report(this.#workloadId, this.#status);
    if (this.#closed) return 0;
    if (answer.ok) {
      this.#leaseMs = answer.value.leaseMs;
      this.#backoff.reset();
      this.#setReachable(true, undefined);
      this.#events.onAnswer(answer.value);
      return this.#leaseMs / 3;
    }
    if (answer.error.status === 404) {
      if (await this.#events.onForgotten()) {
        this.#dirty = true;
        return 0;
      }
    } else {
      this.#setReachable(false, answer.error);
    }
    return Math.min(this.#backoff.next(), this.#leaseMs / 3);
  }

  #setReachable(reachable: boolean, failure: ApiFailure | undefined): void {
    if (this.#reachable === reachable) return;
    this.#reachable = reachable;
    this.#events.onReachable(reachable, failure);
  }

  #release(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters = [];
  }
}

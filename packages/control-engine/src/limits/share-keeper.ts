// Rate limits that hold across proxies: hears from every process how much of each limit it is asked for, and hands out
// shares that sum up to the limit. No request ever waits for it: a process goes on with its last share.

import type { Clock, Timer } from "@ripstop/core";
import type { telemetry } from "@ripstop/model";

import { shareOut } from "./share-out.ts";

/** What the keeper needs. */
export interface ShareKeeperOptions {
  readonly clock: Clock;
  /** Namespace of a workload; undefined when there is none. Limits are of the workload's own namespace. */
  namespaceOf(workloadId: string): string | undefined;
  /**
   * Part of the limits of a namespace that is shared out here, 0 ... 1; default 1. With several control planes each hears
   * of its own proxies alone: their parts sum up to at most 1.
   */
  partOf?(namespace: string): number;
  /** Sends a process all of its shares. */
  send(proxyId: string, slot: number, shares: telemetry.LimitShare[]): void;
}

/** How often shares are looked at. */
const REBALANCE_MS = 1_000;
/** After its start the keeper only listens so long: proxies keep the shares of the keeper before it until all are back. */
export const SETTLE_MS = 5_000;
/** A process that does not report for so long is gone, and its shares go to the others ... */
export const SILENT_MS = 5_000;
/** ... and so is one whose stream ended, and that has not come back in this time. */
export const CLOSED_MS = 2_000;
/** Weight of the newest second in the demand that shares are made from. */
const NEWEST = 0.5;
/** A share is sent anew when it changes by more than this part of itself. */
const WORTH_SENDING = 0.02;
/** Limits and keys of one process. */
const MAX_CLAIMS = 1_000;
/** Smoothed demand below this is none. */
const NO_DEMAND = 1e-4;
/** A process keeps its place in a limit that it is not asked for, for so long. */
const IDLE_MS = 60_000;

/** One process's part in one limit, for one workload and key. */
interface Claim {
  readonly process: Process;
  readonly workload: string;
  readonly limit: string;
  readonly key: string;
  demand: number;
  lastAskedMs: number;
  /** Undefined until the first was made. */
  share: number | undefined;
  sent: number | undefined;
}

interface Process {
  readonly proxyId: string;
  readonly slot: number;
  readonly claims: Map<string, Claim>;
  lastReportMs: number;
  /** Its stream ended; undefined while it is open. */
  closedMs: number | undefined;
}

/** Shares of all limits. */
export class ShareKeeper {
  readonly #options: ShareKeeperOptions;
  readonly #processes = new Map<string, Process>();
  /** Limit and key → who claims a part of it. */
  readonly #limits = new Map<string, Set<Claim>>();
  readonly #timer: Timer;
  readonly #startedMs: number;

  constructor(options: ShareKeeperOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
    this.#timer = options.clock.every(REBALANCE_MS, () => this.#rebalance());
  }

  /** Takes the demand that an authenticated process reports. */
  onReport(proxyId: string, slot: number, report: telemetry.ProxyReport): void {
    const { limits } = report;
    if (limits === undefined) return;
    const id = processId(proxyId, slot);
    const known = this.#processes.get(id);
    if (known === undefined && limits.demands.length === 0) return;
    const nowMs = this.#options.clock.monotonicMs();
    const process = known ?? {
      proxyId,
      slot,
      claims: new Map<string, Claim>(),
      lastReportMs: nowMs,
      closedMs: undefined,
    };
    if (known === undefined) this.#processes.set(id, process);
    process.lastReportMs = nowMs;
    process.closedMs = undefined;
    for (const claim of process.claims.values()) claim.demand *= 1 - NEWEST;
    let isNew = false;
    for (const { workload, limit, key, rate } of limits.demands) {
      const claim = this.#claim(process, { workload, limit, key });
      if (claim === undefined || !Number.isFinite(rate) || rate <= 0) continue;
      isNew ||= claim.share === undefined;
      claim.demand += rate * (claim.demand === 0 ? 1 : NEWEST);
      claim.lastAskedMs = nowMs;
    }
    // Whoever comes gets its share at once.
    if (isNew) this.#rebalance();
  }

  /** The stream of a process ended. It may come back in a moment, and until then it goes on with its shares. */
  onClosed(proxyId: string, slot: number): void {
    const process = this.#processes.get(processId(proxyId, slot));
    if (process !== undefined) process.closedMs = this.#options.clock.monotonicMs();
  }

  /** All shares in force, for those who look. */
  shares(): readonly {
    readonly proxyId: string;
    readonly limit: string;
    readonly key: string;
    readonly share: number;
  }[] {
    return [...this.#limits.values()].flatMap((claims) =>
      [...claims].map(({ process, limit, key, share = 0 }) => ({ proxyId: process.proxyId, limit, key, share })),
    );
  }

  close(): void {
    this.#timer.clear();
  }

  #claim(
    process: Process,
    named: { readonly workload: string; readonly limit: string; readonly key: string },
  ): Claim | undefined {
    const { workload, limit, key } = named;
    const id = JSON.stringify([workload, limit, key]);
    const known = process.claims.get(id);
    if (known !== undefined) return known;
    const namespace = this.#options.namespaceOf(workload);
    if (process.claims.size >= MAX_CLAIMS || namespace === undefined || !limit.startsWith(`${namespace}/`)) {
      return undefined;
    }
    const claim: Claim = {
      process,
      workload,
      limit,
      key,
      demand: 0,
      lastAskedMs: process.lastReportMs,
      share: undefined,
      sent: undefined,
    };
    process.claims.set(id, claim);
    const group = JSON.stringify([limit, key]);
    const claims = this.#limits.get(group);
    if (claims === undefined) this.#limits.set(group, new Set([claim]));
    else claims.add(claim);
    return claim;
  }

  #rebalance(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#dropSilent(nowMs);
    if (nowMs - this.#startedMs < SETTLE_MS) return;
    const changed = new Set<Process>();
    for (const claims of this.#limits.values()) {
      const list = [...claims];
      const limit = list[0]?.limit ?? "";
      const part = this.#options.partOf?.(limit.slice(0, limit.indexOf("/"))) ?? 1;
      if (part <= 0) continue;
      const shares = shareOut(list.map(({ demand }) => (demand < NO_DEMAND ? 0 : demand / part)));
      for (const [at, claim] of list.entries()) {
        const share = (shares[at] ?? 0) * part;
        claim.share = share;
        const { sent } = claim;
        if (sent === undefined || Math.abs(share - sent) > WORTH_SENDING * sent) changed.add(claim.process);
      }
    }
    for (const process of changed) this.#send(process);
  }

  #send(process: Process): void {
    const shares: telemetry.LimitShare[] = [];
    for (const claim of process.claims.values()) {
      const { workload, limit, key, share } = claim;
      if (share === undefined) continue;
      claim.sent = share;
      shares.push({ workload, limit, key, share });
    }
    this.#options.send(process.proxyId, process.slot, shares);
  }

  #dropSilent(nowMs: number): void {
    for (const [id, process] of this.#processes) {
      const { lastReportMs, closedMs } = process;
      const gone = nowMs - lastReportMs > SILENT_MS || (closedMs !== undefined && nowMs - closedMs > CLOSED_MS);
      for (const [key, claim] of process.claims) {
        if (!gone && nowMs - claim.lastAskedMs <= IDLE_MS) continue;
        process.claims.delete(key);
        const group = JSON.stringify([claim.limit, claim.key]);
        const claims = this.#limits.get(group);
        claims?.delete(claim);
        if (claims?.size === 0) this.#limits.delete(group);
      }
      if (gone) this.#processes.delete(id);
    }
  }
}

function processId(proxyId: string, slot: number): string {
  return `${proxyId}#${slot}`;
}

// What one rule remembers: its limiters by key, and, when the limit is shared, what was asked for and the share in force.

import { createHash } from "node:crypto";

import type { FilterState, LimitDemand, LimitShare } from "@ripstop/policy-api/proxy";

import { Algorithm, type LimitRule } from "./config.gen.ts";
import { Gcra } from "./gcra.ts";
import { LimiterEntry, LimiterTable } from "./limiter-table.ts";
import { TokenBucket } from "./token-bucket.ts";

/** What a process lets through of a shared limit for a key of which it has no share yet: it asks for one within a second. */
export const FIRST_SHARE = 0.25;
/** The busiest keys whose demand is reported; what is left over goes on with FIRST_SHARE, or with its last share. */
const MAX_DEMANDS = 200;
/** A share that a process does not ask for any more is kept so long. */
const MAX_SHARES = 4 * MAX_DEMANDS;

/** State of a rule. */
export class LimitState implements FilterState {
  readonly table: LimiterTable;
  readonly #limit: string;
  readonly #perMs: number;
  readonly #burst: number;
  readonly #global: boolean;
  readonly #localShare: number;
  /** By digest of the key; kept while the control plane is away. */
  readonly #shares = new Map<string, number>();
  readonly #digests = new Map<string, string>();

  /** `limit` is "NAMESPACE/NAME/RULE"; `workers` processes share a local limit evenly. */
  constructor(limit: string, rule: LimitRule, workers: number) {
    this.#limit = limit;
    this.#perMs = rule.requests / rule.periodMs;
    this.#burst = rule.burst;
    this.#global = rule.global;
    this.#localShare = 1 / workers;
    const gcra = rule.algorithm === Algorithm.GCRA;
    this.table = new LimiterTable((key) => {
      const share = this.#global ? (this.#shares.get(digestOf(key)) ?? FIRST_SHARE) : this.#localShare;
      const pace = { perMs: this.#perMs * share, burst: Math.max(1, this.#burst * share) };
      return new LimiterEntry(gcra ? new Gcra() : new TokenBucket(), pace);
    });
  }

  takeDemands(): readonly LimitDemand[] {
    if (!this.#global) return [];
    const asked: { key: string; entry: LimiterEntry; asked: number }[] = [];
    for (const [key, entry] of this.table.entries()) {
      if (entry.asked > 0) asked.push({ key, entry, asked: entry.asked });
      entry.asked = 0;
    }
    if (asked.length > MAX_DEMANDS) {
      asked.sort((a, b) => b.asked - a.asked);
      asked.length = MAX_DEMANDS;
    }
    const perSecond = this.#perMs * 1_000;
    return asked.map(({ key, asked: count }) => ({
      limit: this.#limit,
      key: this.#digest(key),
      asked: count / perSecond,
    }));
  }

  takeShares(shares: readonly LimitShare[]): void {
    if (!this.#global) return;
    let changed = false;
    for (const { limit, key, share } of shares) {
      if (limit !== this.#limit || !(share >= 0) || share > 1) continue;
      this.#shares.delete(key);
      this.#shares.set(key, share);
      changed = true;
    }
    if (!changed) return;
    for (const oldest of this.#shares.keys()) {
      if (this.#shares.size <= MAX_SHARES) break;
      this.#shares.delete(oldest);
    }
    for (const [key, { pace }] of this.table.entries()) {
      const share = this.#shares.get(this.#digest(key));
      if (share !== undefined) this.#setPace(pace, share);
    }
  }

  /** A share of nothing still lets one request through now and then, so that demand is seen. */
  #setPace(pace: { perMs: number; burst: number }, share: number): void {
    pace.perMs = this.#perMs * Math.max(share, 1e-6);
    pace.burst = Math.max(1, this.#burst * share);
  }

  #digest(key: string): string {
    let digest = this.#digests.get(key);
    if (digest === undefined) {
      if (this.#digests.size >= MAX_SHARES) this.#digests.clear();
      digest = digestOf(key);
      this.#digests.set(key, digest);
    }
    return digest;
  }
}

/** Keys may hold secrets (a token in a header field): only digests leave the process. */
function digestOf(key: string): string {
  return key === "" ? "" : createHash("sha256").update(key).digest("base64url").slice(0, 22);
}

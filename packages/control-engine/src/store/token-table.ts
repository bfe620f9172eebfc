// Tokens of one kind: what is kept of them in a table that replicas share, mirrored in memory, bounded, and forgotten a
// week after they were of any use. What a token is good for is its kind's to say.

import type { Clock } from "@ripstop/core";

import type { Table } from "./store.ts";

/** What is kept of a token of any kind. */
export interface TokenRecord {
  readonly createdMs: number;
  readonly expiresMs: number;
  /** Of a token that is good for one use: when that was; 0 before. */
  readonly usedMs?: number;
}

const MAX_TOKENS = 10_000;
/** A token that was used or expired is remembered for so long, to say so. */
const REMEMBER_MS = 7 * 24 * 3_600_000;

/** The tokens, by the keys of the table. */
export class TokenTable<Token extends TokenRecord> {
  readonly #clock: Clock;
  readonly #table: Table<Token>;
  readonly #tokens = new Map<string, Token>();

  constructor(clock: Clock, table: Table<Token>) {
    this.#clock = clock;
    this.#table = table;
    for (const [key, token] of table.entries()) this.#tokens.set(key, token);
    // Another replica makes, uses and revokes tokens too.
    table.watch((key, token) => {
      if (token === undefined) this.#tokens.delete(key);
      else this.#tokens.set(key, token);
    });
  }

  get size(): number {
    return this.#tokens.size;
  }

  get(key: string): Token | undefined {
    return this.#tokens.get(key);
  }

  /** Key and token, oldest first. */
  list(): readonly (readonly [key: string, token: Token])[] {
    return [...this.#tokens].sort(([a, one], [b, other]) => one.createdMs - other.createdMs || (a < b ? -1 : 1));
  }

  /** Adds a token, after those that are long over were forgotten; false when there are 10 000. Durable when kept. */
  async add(key: string, token: Token): Promise<boolean> {
    await this.#forgetOld();
    if (this.#tokens.size >= MAX_TOKENS) return false;
    await this.put(key, token);
    return true;
  }

  /** Durable when kept. */
  put(key: string, token: Token): Promise<void> {
    this.#tokens.set(key, token);
    return this.#table.put(key, token);
  }

  /** Exchanges a token that is `before` still; of several that try, on whichever replicas, one gets true. */
  replace(key: string, before: Token, after: Token): Promise<boolean> {
    return this.#table.replace(key, before, after);
  }

  /** The token is of no use any more from the call on; durable when kept. */
  remove(key: string): Promise<void> {
    this.#tokens.delete(key);
    return this.#table.remove(key);
  }

  async #forgetOld(): Promise<void> {
    const beforeMs = this.#clock.nowMs() - REMEMBER_MS;
    const old = [...this.#tokens].filter(([, { expiresMs, usedMs = 0 }]) => Math.max(expiresMs, usedMs) < beforeMs);
    await Promise.all(old.map(([key]) => this.remove(key)));
  }
}

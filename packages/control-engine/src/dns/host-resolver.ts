// Addresses of hosts outside the mesh, looked up again when their time to live is over, for as long as somebody uses them.

import { Resolver } from "node:dns/promises";

import type { Clock, Timer } from "@ripstop/core";

/** What a name server answered. */
export interface ResolvedHost {
  /** IP addresses; never empty. */
  readonly addresses: readonly string[];
  /** How long the answer holds. */
  readonly ttlMs: number;
}

/** What the resolver needs. */
export interface HostResolverOptions {
  readonly clock: Clock;
  /** Asks a name server; rejects when there is no answer. Default: the system's name servers. */
  lookup?(host: string): Promise<ResolvedHost>;
  /** Other addresses than before. */
  onChanged(host: string): void;
  /** Whether anything is still compiled from the host's addresses: otherwise it is forgotten. */
  isWanted(host: string): boolean;
}

const MIN_TTL_MS = 5_000;
const MAX_TTL_MS = 300_000;
/** Until the next try after a failure; addresses that were known stay. */
const RETRY_MS = 10_000;
/** Hosts at the same time; the proxies look up names beyond. */
const MAX_HOSTS = 5_000;
const MAX_ADDRESSES = 64;

interface Entry {
  addresses: readonly string[];
  timer: Timer | undefined;
}

/** Addresses by host. */
export class HostResolver {
  readonly #options: HostResolverOptions;
  readonly #lookup: (host: string) => Promise<ResolvedHost>;
  readonly #entries = new Map<string, Entry>();
  #closed = false;

  constructor(options: HostResolverOptions) {
    this.#options = options;
    this.#lookup = options.lookup?.bind(options) ?? lookupByNameServers;
  }

  /** Hosts that are followed. */
  get size(): number {
    return this.#entries.size;
  }

  /** The addresses of `host` as far as they are known, sorted; empty before the first answer. */
  addresses(host: string): readonly string[] {
    const known = this.#entries.get(host);
    if (known !== undefined) return known.addresses;
    if (this.#entries.size < MAX_HOSTS && !this.#closed) {
      this.#entries.set(host, { addresses: [], timer: undefined });
      void this.#refresh(host);
    }
    return [];
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#entries.values()) timer?.clear();
    this.#entries.clear();
  }

  async #refresh(host: string): Promise<void> {
    let ttlMs = RETRY_MS;
    let addresses: readonly string[] | undefined;
    try {
      const answer = await this.#lookup(host);
      ttlMs = Math.min(MAX_TTL_MS, Math.max(MIN_TTL_MS, answer.ttlMs));
      if (answer.addresses.length > 0) addresses = [...new Set(answer.addresses)].sort().slice(0, MAX_ADDRESSES);
    } catch {
      // What was known stays: a name server that is away must not take the host away.
    }
    const entry = this.#entries.get(host);
    if (entry === undefined) return;
    entry.timer = this.#options.clock.after(ttlMs, () => {
      if (this.#options.isWanted(host)) void this.#refresh(host);
      else this.#entries.delete(host);
    });
    if (addresses === undefined || addresses.join() === entry.addresses.join()) return;
    entry.addresses = addresses;
    this.#options.onChanged(host);
  }
}

/** Both families; the shortest time to live counts. */
async function lookupByNameServers(host: string): Promise<ResolvedHost> {
  const resolver = new Resolver({ timeout: 3_000, tries: 2 });
  const answers = await Promise.allSettled([
    resolver.resolve4(host, { ttl: true }),
    resolver.resolve6(host, { ttl: true }),
  ]);
  const records = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  if (records.length === 0) throw new Error(`no name server knows ${host}`);
  return {
    addresses: records.map(({ address }) => address),
    ttlMs: Math.min(...records.map(({ ttl }) => ttl)) * 1_000,
  };
}

// What the authority issued lately, by identity: for the people who ask who is who. Durable, so that a restarted
// control plane still knows; the issuance log of the authority is the complete record.

import type { Clock, Timer } from "@ripstop/core";

import type { Table } from "../store/store.ts";

/** Facts of one certificate. */
export interface IssuedCertificate {
  /** Hex. */
  readonly serialNumber: string;
  readonly issuedMs: number;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Leaf first, then intermediates, PEM. */
  readonly chainPem: string;
}

/** One identity. */
export interface IssuedIdentity {
  readonly spiffeId: string;
  /** Certificates issued so far. */
  readonly issued: number;
  readonly firstIssuedMs: number;
  /** The newest ones that have not expired, newest first. */
  readonly certificates: readonly IssuedCertificate[];
}

const MAX_IDENTITIES = 100_000;
/** Instances of one service share an identity; of more than these only the newest are shown. */
const MAX_CERTIFICATES = 16;
const PRUNE_MS = 10 * 60_000;
/** An identity of which nothing is left is remembered so long, for those who look for what vanished. */
const REMEMBER_MS = 24 * 3_600_000;

/** The identities. */
export class IssuedIdentities {
  readonly #clock: Clock;
  readonly #table: Table<IssuedIdentity>;
  readonly #timer: Timer;
  readonly #unwatch: () => void;
  readonly #ids = new Map<string, IssuedIdentity>();

  constructor(clock: Clock, table: Table<IssuedIdentity>) {
    this.#clock = clock;
    this.#table = table;
    for (const [id, identity] of table.entries()) this.#ids.set(id, identity);
    // Another control plane issues too.
    this.#unwatch = table.watch((id, identity) => {
      if (identity === undefined) this.#ids.delete(id);
      else if ((this.#ids.get(id)?.issued ?? 0) <= identity.issued) this.#ids.set(id, identity);
    });
    this.#timer = clock.every(PRUNE_MS, () => this.#prune());
  }

  get(spiffeId: string): IssuedIdentity | undefined {
    return this.#ids.get(spiffeId);
  }

  /** In the order of their ids. */
  list(): readonly IssuedIdentity[] {
    return [...this.#ids.values()].toSorted((a, b) => (a.spiffeId < b.spiffeId ? -1 : 1));
  }

  /** The authority issued a certificate. */
  record(spiffeId: string, certificate: Omit<IssuedCertificate, "issuedMs">): void {
    const nowMs = this.#clock.nowMs();
    const before = this.#ids.get(spiffeId);
    if (before === undefined && this.#ids.size >= MAX_IDENTITIES) return;
    const identity: IssuedIdentity = {
      spiffeId,
      issued: (before?.issued ?? 0) + 1,
      firstIssuedMs: before?.firstIssuedMs ?? nowMs,
      certificates: [
        { ...certificate, issuedMs: nowMs },
        ...(before?.certificates ?? []).filter(({ notAfterMs }) => notAfterMs > nowMs),
      ].slice(0, MAX_CERTIFICATES),
    };
    this.#ids.set(spiffeId, identity);
    // The issuance log has it in any case.
    this.#table.put(spiffeId, identity).catch(() => undefined);
  }

  close(): void {
    this.#timer.clear();
    this.#unwatch();
  }

  #prune(): void {
    const nowMs = this.#clock.nowMs();
    for (const { spiffeId, certificates } of this.#ids.values()) {
      const newest = certificates.reduce((latest, { notAfterMs }) => Math.max(latest, notAfterMs), 0);
      if (newest + REMEMBER_MS > nowMs) continue;
      this.#ids.delete(spiffeId);
      this.#table.remove(spiffeId).catch(() => undefined);
    }
  }
}

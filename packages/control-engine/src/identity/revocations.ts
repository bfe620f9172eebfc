// Who is not trusted any more although a root vouches for it. Durable; the list travels to every proxy in the trust
// bundle, the authority issues nothing to a revoked identity.

import { err, ok, type Clock, type Result, type Timer } from "@ripstop/core";
import { controlSpiffeId, parseSpiffeId } from "@ripstop/identity";
import type { RevocationView } from "@ripstop/model";
import { normalSerialNumber, RevocationList, type Revocation } from "@ripstop/net";

import { nothingRevoked, revocationRefused } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Table } from "../store/store.ts";

/** One revocation as it is kept. */
export interface StoredRevocation extends Revocation {
  readonly revokedMs: number;
  /** When it needs no keeping any more, because the certificate has expired for certain; 0: until it is taken back. */
  readonly untilMs: number;
}

/** What to revoke: an identity with all its certificates, or one certificate. */
export type RevocationTarget = { readonly spiffeId: string } | { readonly serialNumber: string };

/** What the list needs. */
export interface RevocationsOptions {
  readonly clock: Clock;
  readonly trustDomain: string;
  readonly table: Table<StoredRevocation>;
}

/** Every proxy holds the whole list. */
export const MAX_REVOCATIONS = 10_000;
const PRUNE_MS = 10 * 60_000;
/** Longer than any SVID lives, with the tolerance of clocks. */
const LONGEST_SVID_MS = 25 * 3_600_000;
const SERIAL = /^[0-9a-f]{1,40}$/;
const MAX_REASON = 256;

/** The revocations in force. */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #entries = new Map<string, StoredRevocation>();
  readonly #listeners = new Set<() => void>();
  readonly #timer: Timer;
  readonly #unwatch: () => void;
  /** Made when somebody asks. */
  #list: RevocationList | undefined;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    for (const [key, entry] of options.table.entries()) this.#entries.set(key, entry);
    this.#timer = options.clock.every(PRUNE_MS, () => this.#prune());
    // Changes made here come this way too, before their write is kept.
    this.#unwatch = options.table.watch((key, entry) => {
      if (entry === undefined) this.#entries.delete(key);
      else this.#entries.set(key, entry);
      this.#changed();
    });
  }

  /** In the order in which they were made. */
  list(): readonly StoredRevocation[] {
    return [...this.#entries.values()].toSorted((a, b) => a.revokedMs - b.revokedMs);
  }

  /** As the API shows them. */
  views(): readonly RevocationView[] {
    return this.list().map(({ spiffeId, serialNumber, reason, revokedMs }) => ({
      spiffeId,
      serialNumber,
      reason,
      revokedMs,
    }));
  }

  /** What refuses the certificate `serialNumber` ("" when not known) of `spiffeId`. */
  find(spiffeId: string, serialNumber: string): Revocation | undefined {
    this.#list ??= new RevocationList(this.#entries.values());
    return this.#list.find(spiffeId, serialNumber);
  }

  /** Revokes; durable when the promise is kept. Revoking twice keeps the first time and takes the newer reason. */
  async add(target: RevocationTarget, reason: string): Promise<Result<StoredRevocation, Failure>> {
    const named = this.#check(target);
    if (!named.ok) return named;
    const { key, spiffeId, serialNumber } = named.value;
    const before = this.#entries.get(key);
    if (before === undefined && this.#entries.size >= MAX_REVOCATIONS) {
      return err({
        kind: revocationRefused,
        message: `${MAX_REVOCATIONS} revocations are in force, which is the limit`,
      });
    }
    const nowMs = this.#options.clock.nowMs();
    const entry: StoredRevocation = {
      spiffeId,
      serialNumber,
      reason: reason.slice(0, MAX_REASON),
      revokedMs: before?.revokedMs ?? nowMs,
      untilMs: serialNumber === "" ? 0 : nowMs + LONGEST_SVID_MS,
    };
    await this.#options.table.put(key, entry);
    return ok(entry);
  }

  /** Takes a revocation back; fails when there is none. */
  async remove(target: RevocationTarget): Promise<Result<StoredRevocation, Failure>> {
    const named = this.#check(target);
    if (!named.ok) return named;
    const entry = this.#entries.get(named.value.key);
    if (entry === undefined) {
      return err({
        kind: nothingRevoked,
        message: `${named.value.spiffeId || named.value.serialNumber} is not revoked`,
      });
    }
    await this.#options.table.remove(named.value.key);
    return ok(entry);
  }

  /** Calls `listener` after every change; returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#timer.clear();
    this.#unwatch();
    this.#listeners.clear();
  }

  #check(target: RevocationTarget): Result<{ key: string; spiffeId: string; serialNumber: string }, Failure> {
    if ("serialNumber" in target) {
      const serialNumber = normalSerialNumber(target.serialNumber);
      return SERIAL.test(serialNumber)
        ? ok({ key: `serial ${serialNumber}`, spiffeId: "", serialNumber })
        : err({ kind: revocationRefused, message: "a serial number has 1 to 40 hexadecimal digits" });
    }
    const id = parseSpiffeId(target.spiffeId);
    if (!id.ok) return err({ kind: revocationRefused, message: id.error });
    if (id.value.path === "") {
      return err({ kind: revocationRefused, message: "a trust domain cannot be revoked, only an identity in it" });
    }
    if (target.spiffeId === controlSpiffeId(this.#options.trustDomain)) {
      return err({
        kind: revocationRefused,
        message: "this is the control plane itself: without it nothing could be taken back",
      });
    }
    return ok({ key: `id ${target.spiffeId}`, spiffeId: target.spiffeId, serialNumber: "" });
  }

  #prune(): void {
    const nowMs = this.#options.clock.nowMs();
    let pruned = false;
    for (const [key, { untilMs }] of this.#entries) {
      if (untilMs === 0 || untilMs > nowMs) continue;
      this.#entries.delete(key);
      // Left in the table by a failing disk, it is pruned at the next start.
      this.#options.table.remove(key).catch(() => undefined);
      pruned = true;
    }
    if (pruned) this.#changed();
  }

  #changed(): void {
    this.#list = undefined;
    for (const listener of [...this.#listeners]) listener();
  }
}

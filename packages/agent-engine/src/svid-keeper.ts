// Keeps a workload's SVID fresh: a new key and a new SVID at half of its life, tried again with backoff until it works.

import { X509Certificate } from "node:crypto";
import { Backoff, type Clock, type Result, type Timer } from "@ripstop/core";
import type { SvidResponse } from "@ripstop/model";
import type { ApiFailure, ControlApi } from "./control-api.ts";

/** A fresh private key (PKCS #8 PEM) and a CSR signed by it. */
export interface KeyAndCsr {
  readonly keyPem: string;
  readonly csrPem: string;
}

/** Makes a key and a CSR that asks for `spiffeId`. */
export type KeyAndCsrMaker = (spiffeId: string) => Promise<KeyAndCsr>;

/** What the keeper tells its owner. */
export interface SvidEvents {
  /** A new SVID is there: store it. */
  onRenewed(keyPem: string, answer: SvidResponse): void;
  /** A renewal failed; the current SVID stays in use until it expires. Called once per series of failures. */
  onFailing(failure: ApiFailure, notAfterMs: number): void;
}

/** Renews until closed. */
export class SvidKeeper {
  readonly #api: ControlApi;
  readonly #workloadId: string;
  readonly #spiffeId: string;
  readonly #createKeyAndCsr: KeyAndCsrMaker;
  readonly #clock: Clock;
  readonly #events: SvidEvents;
  readonly #backoff = new Backoff({ initialMs: 1_000, maxMs: 60_000 });
  #timer: Timer | undefined;
  #notAfterMs = 0;
  #failing = false;
  #renewing = false;
  #closed = false;

  constructor(
    dependencies: { readonly api: ControlApi; readonly createKeyAndCsr: KeyAndCsrMaker; readonly clock: Clock },
    workload: { readonly workloadId: string; readonly spiffeId: string },
    events: SvidEvents,
  ) {
    this.#api = dependencies.api;
    this.#createKeyAndCsr = dependencies.createKeyAndCsr;
    this.#clock = dependencies.clock;
    this.#workloadId = workload.workloadId;
    this.#spiffeId = workload.spiffeId;
    this.#events = events;
  }

  /** A new SVID that ends at `notAfterMs` is in use: the next one is asked for at half of the time until then, ±10 %. */
  schedule(notAfterMs: number): void {
    this.#notAfterMs = notAfterMs;
    this.#failing = false;
    this.#backoff.reset();
    this.#timer?.clear();
    const lifeMs = Math.max(0, notAfterMs - this.#clock.nowMs());
    // Timers take at most 2³¹−1 ms.
    this.#timer = this.#clock.after(
      Math.min(2 ** 31 - 1, (lifeMs / 2) * (0.9 + 0.2 * Math.random())),
      () => void this.#renew(),
    );
  }

  /** Renews at once, because another root signs; nothing happens while a renewal is under way. */
  renewNow(): void {
    if (this.#closed || this.#renewing) return;
    this.#timer?.clear();
    void this.#renew();
  }

  /** No further renewal. */
  close(): void {
    this.#closed = true;
    this.#timer?.clear();
  }

  async #renew(): Promise<void> {
    this.#renewing = true;
    try {
      await this.#tryToRenew();
    } finally {
      this.#renewing = false;
    }
  }

  async #tryToRenew(): Promise<void> {
    const made = await this.#createKeyAndCsr(this.#spiffeId);
    if (this.#closed) return;
    const answer: Result<SvidResponse, ApiFailure> = await this.#api.renew(this.#workloadId, { csrPem: made.csrPem });
    if (this.#closed) return;
    if (answer.ok) {
      this.#events.onRenewed(made.keyPem, answer.value);
      this.schedule(answer.value.notAfterMs);
      return;
    }
    if (!this.#failing) {
      this.#failing = true;
      this.#events.onFailing(answer.error, this.#notAfterMs);
    }
    this.#timer = this.#clock.after(this.#backoff.next(), () => void this.#renew());
  }
}

/** End of validity of the first certificate of a PEM chain in milliseconds, or undefined when it is not a certificate. */
export function svidNotAfterMs(chainPem: string): number | undefined {
  try {
    const end = Date.parse(new X509Certificate(chainPem).validTo);
    return Number.isNaN(end) ? undefined : end;
  } catch {
    return undefined;
  }
}

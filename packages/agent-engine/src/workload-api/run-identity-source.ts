// What `ripstop run` knows of identities: those of its one application. The SVID comes from its keeper; the bundles are
// followed at the control plane only while somebody listens.

import { createPrivateKey } from "node:crypto";

import { Backoff, err, ok, sleep, type Clock, type Result } from "@ripstop/core";
import { pemToDer } from "@ripstop/identity";
import type { BundlesView, JwtSvidRequest, JwtSvidResponse } from "@ripstop/model";

import type { ApiFailure } from "../control-api.ts";
import { svidNotAfterMs } from "../svid-keeper.ts";
import type {
  IdentityRefusal,
  JwtSvid,
  PeerCredentials,
  TrustDomainBundle,
  WorkloadIdentities,
  WorkloadIdentitySource,
  X509SvidWithKey,
} from "../workload-identity-source.ts";

/** What the source asks of the control plane. */
export interface RunIdentityApi {
  jwtSvid(workloadId: string, body: JwtSvidRequest): Promise<Result<JwtSvidResponse, ApiFailure>>;
  bundles(after: string, waitMs: number, signal?: AbortSignal): Promise<Result<BundlesView, ApiFailure>>;
}

/** Who the application is. */
export interface RunIdentityOptions {
  readonly api: RunIdentityApi;
  readonly clock: Clock;
  readonly workloadId: string;
  readonly spiffeId: string;
  readonly trustDomain: string;
}

/** Longest wait for a change in one call. */
const WAIT_MS = 60_000;
/** The first answer does not wait longer than this for the control plane. */
const FIRST_MS = 2_000;

/** The identities of one application. */
export class RunIdentitySource implements WorkloadIdentitySource {
  readonly #options: RunIdentityOptions;
  readonly #watchers = new Set<() => void>();
  #svid: X509SvidWithKey | undefined;
  /** What was known at the registration, until the control plane has told more. */
  #bundles: ReadonlyMap<string, TrustDomainBundle> = new Map();
  #version = "";
  #following = false;
  #firstAnswer: Promise<void> | undefined;
  readonly #closed = new AbortController();

  constructor(options: RunIdentityOptions) {
    this.#options = options;
  }

  /** A new SVID (PEM) is in use, and the roots that came with it. */
  renewed(keyPem: string, chainPem: string, bundlePem: string): void {
    const { spiffeId, trustDomain } = this.#options;
    const chain = pemToDer(chainPem);
    const roots = pemToDer(bundlePem);
    if (!chain.ok || !roots.ok) return;
    this.#svid = {
      spiffeId,
      chainDer: chain.value,
      keyDer: createPrivateKey(keyPem).export({ format: "der", type: "pkcs8" }),
      hint: "",
      notAfterMs: svidNotAfterMs(chainPem) ?? 0,
    };
    const bundles = new Map(this.#bundles);
    bundles.set(trustDomain, { x509Der: roots.value, jwksJson: bundles.get(trustDomain)?.jwksJson });
    this.#bundles = bundles;
    this.#changed();
  }

  async *identitiesOf(_caller: PeerCredentials, signal: AbortSignal): AsyncIterable<WorkloadIdentities> {
    let wake = (): void => undefined;
    // True from the start: the first answer comes at once.
    let isDue = true;
    const changed = (): void => {
      isDue = true;
      wake();
    };
    const aborted = (): void => wake();
    this.#watchers.add(changed);
    signal.addEventListener("abort", aborted);
    try {
      this.#follow();
      await Promise.race([this.#firstAnswer, sleep(this.#options.clock, FIRST_MS)]);
      for (;;) {
        if (signal.aborted || this.#closed.signal.aborted) return;
        if (isDue) {
          isDue = false;
          yield { svids: this.#svid === undefined ? [] : [this.#svid], bundles: this.#bundles };
        } else {
          // oxlint-disable-next-line no-await-in-loop -- one change after the other
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    } finally {
      this.#watchers.delete(changed);
      signal.removeEventListener("abort", aborted);
    }
  }

  async fetchJwtSvid(
    _caller: PeerCredentials,
    audience: readonly string[],
    spiffeId?: string,
  ): Promise<Result<JwtSvid, IdentityRefusal>> {
    const { api, workloadId, spiffeId: own } = this.#options;
    if (spiffeId !== undefined && spiffeId !== own)
      return err({ reason: "denied", message: "this application has no such identity" });
    const issued = await api.jwtSvid(workloadId, { audience });
    if (issued.ok) return ok({ spiffeId: issued.value.spiffeId, token: issued.value.token, hint: "" });
    const { status, error } = issued.error;
    if (status === 0 || status >= 500) return err({ reason: "unavailable", message: error.message });
    return err({ reason: status === 400 ? "invalid" : "denied", message: error.message });
  }

  /** Ends every iteration. */
  close(): void {
    this.#closed.abort();
    this.#changed();
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Follows the bundles while there are watchers. */
  #follow(): void {
    if (this.#following) return;
    this.#following = true;
    let answered = (): void => undefined;
    this.#firstAnswer = new Promise((resolve) => (answered = resolve));
    void this.#followBundles(answered);
  }

  async #followBundles(answered: () => void): Promise<void> {
    const { api, clock } = this.#options;
    const backoff = new Backoff({ initialMs: 500, maxMs: 15_000 });
    // The first question is answered at once, whatever is known from before.
    let isFirst = true;
    while (this.#watchers.size > 0 && !this.#closed.signal.aborted) {
      // oxlint-disable no-await-in-loop -- one question after the other
      const answer = await api.bundles(isFirst ? "" : this.#version, isFirst ? 0 : WAIT_MS, this.#closed.signal);
      if (answer.ok) {
        backoff.reset();
        isFirst = false;
        await this.#take(answer.value);
      }
      answered();
      if (!answer.ok && !this.#closed.signal.aborted) await sleep(clock, backoff.next());
      // oxlint-enable no-await-in-loop
    }
    this.#following = false;
  }

  async #take({ bundles, version }: BundlesView): Promise<void> {
    if (version === this.#version) return;
    const { jwksOf, parseBundle } = await import("@ripstop/identity/jwt");
    const read = new Map<string, TrustDomainBundle>();
    for (const [trustDomain, text] of Object.entries(bundles)) {
      const parsed = parseBundle(text);
      if (!parsed.ok) continue;
      const { x509Authorities, jwtAuthorities } = parsed.value;
      read.set(trustDomain, {
        x509Der: x509Authorities,
        jwksJson: jwtAuthorities.length === 0 ? undefined : jwksOf(parsed.value),
      });
    }
    this.#version = version;
    // Without the own bundle an answer is of no use; what is known stays.
    if (!read.has(this.#options.trustDomain)) return;
    this.#bundles = read;
    this.#changed();
  }
}

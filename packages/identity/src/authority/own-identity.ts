// The SVID of a process that sits beside the authority (the control plane itself): issued at start, renewed at half life.

import { err, ok, type Clock, type Result, type Timer } from "@ripstop/core";
import type { Logger } from "@ripstop/telemetry";

import { createKeyAndCsr } from "../csr/create-key-and-csr.ts";
import type { Authority, IssueRefusal, OpenAuthority } from "./authority.ts";
import { makeCertificate } from "./certificate-maker.ts";
import { signingKeyOf } from "./key-store.ts";

/** Certificate chain and key of a process, PEM. */
export interface KeyedSvid {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly notAfterMs: number;
  /** SHA-256 of the root that it leads to, hex; "" for a placeholder that nobody accepts. */
  readonly rootSha256: string;
}

/** An identity that renews itself until closed. */
export interface OwnIdentity {
  readonly current: KeyedSvid;
  /** Renews at once, because another root signs; kept when that is done, or failed and will be tried again. */
  renewNow(): Promise<void>;
  /** Calls `renewed` after every renewal; returns how to stop. */
  watch(renewed: (svid: KeyedSvid) => void): () => void;
  close(): void;
}

/** How to start an own identity. */
export interface OwnIdentityOptions {
  readonly authority: Authority & Pick<OpenAuthority, "degraded">;
  readonly spiffeId: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** 10 s … 24 h; default 1 h. */
  readonly ttlMs?: number;
}

const DEFAULT_TTL_MS = 3_600_000;
const RETRY_DIVISOR = 20;
const MIN_DELAY_MS = 1000;

/**
 * Issues the first SVID and keeps it fresh with a new key each time. Fails as `Authority.issue` does; but when the
 * authority is degraded it starts with a self-signed placeholder that nobody accepts, and the first SVID comes later.
 */
export async function startOwnIdentity(options: OwnIdentityOptions): Promise<Result<OwnIdentity, IssueRefusal>> {
  const { authority, clock, logger, ttlMs = DEFAULT_TTL_MS } = options;
  let first = await issue(options, ttlMs);
  if (!first.ok && authority.degraded !== undefined) first = ok(await placeholder(options));
  if (!first.ok) return err(first.error);
  let current = first.value;
  let closed = false;
  let renewing: Promise<void> | undefined;
  const watchers = new Set<(svid: KeyedSvid) => void>();
  const retryMs = Math.max(MIN_DELAY_MS, ttlMs / RETRY_DIVISOR);
  // An authority near its end issues for less than was asked for.
  const dueMs = (): number => Math.max(MIN_DELAY_MS, Math.min(ttlMs, current.notAfterMs - clock.nowMs()) / 2);
  let timer: Timer = clock.after(current.rootSha256 === "" ? retryMs : dueMs(), () => void renew());
  function renew(): Promise<void> {
    timer.clear();
    renewing ??= issue(options, ttlMs)
      .then((next) => {
        if (closed) return;
        if (next.ok) {
          current = next.value;
          for (const watcher of watchers) watcher(current);
        } else {
          logger?.error("own certificate not renewed", { spiffeId: options.spiffeId, cause: next.error.message });
        }
        timer = clock.after(next.ok ? dueMs() : retryMs, () => void renew());
      })
      .finally(() => (renewing = undefined));
    return renewing;
  }
  return ok({
    get current() {
      return current;
    },
    async renewNow() {
      // One that is under way may have been signed by the root before.
      await renewing;
      if (!closed) await renew();
    },
    watch(renewed) {
      watchers.add(renewed);
      return () => watchers.delete(renewed);
    },
    close() {
      closed = true;
      timer.clear();
      watchers.clear();
    },
  });
}

async function issue(options: OwnIdentityOptions, ttlMs: number): Promise<Result<KeyedSvid, IssueRefusal>> {
  const { keyPem, csrPem } = await createKeyAndCsr(options.spiffeId);
  const issued = await options.authority.issue(csrPem, options.spiffeId, ttlMs);
  if (!issued.ok) return issued;
  const { chainPem, notAfterMs, rootSha256 } = issued.value;
  return ok({ chainPem, keyPem, notAfterMs, rootSha256 });
}

/** A certificate for a listener that must exist before there is a true one. */
async function placeholder({ clock, spiffeId }: OwnIdentityOptions): Promise<KeyedSvid> {
  const { keyPem } = await createKeyAndCsr(spiffeId);
  const key = signingKeyOf(keyPem);
  if (!key.ok) throw new Error(key.error);
  const nowMs = clock.nowMs();
  const subject = "CN=placeholder, O=Ripstop";
  const made = await makeCertificate(
    {
      subject,
      issuer: subject,
      issuerKeyId: undefined,
      uri: spiffeId,
      publicKey: key.value.publicKey,
      notBeforeMs: nowMs,
      notAfterMs: nowMs + DEFAULT_TTL_MS,
      pathLength: undefined,
    },
    key.value,
  );
  return { chainPem: made.pem, keyPem, notAfterMs: nowMs, rootSha256: "" };
}

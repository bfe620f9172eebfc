// The SVID of a process that sits beside the authority (the control plane itself): issued at start, renewed at half life.

import { err, ok, type Clock, type Result, type Timer } from "@ripstop/core";
import type { Logger } from "@ripstop/telemetry";

import { createKeyAndCsr } from "../csr/create-key-and-csr.ts";
import type { Authority, IssueRefusal } from "./authority.ts";

/** Certificate chain and key of a process, PEM. */
export interface KeyedSvid {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly notAfterMs: number;
}

/** An identity that renews itself until closed. */
export interface OwnIdentity {
  readonly current: KeyedSvid;
  /** Calls `renewed` after every renewal; returns how to stop. */
  watch(renewed: (svid: KeyedSvid) => void): () => void;
  close(): void;
}

/** How to start an own identity. */
export interface OwnIdentityOptions {
  readonly authority: Authority;
  readonly spiffeId: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** 10 s … 24 h; default 1 h. */
  readonly ttlMs?: number;
}

const DEFAULT_TTL_MS = 3_600_000;
const RETRY_DIVISOR = 20;
const MIN_DELAY_MS = 1000;

/** Issues the first SVID and keeps it fresh with a new key each time; fails as `Authority.issue` does. */
export async function startOwnIdentity(options: OwnIdentityOptions): Promise<Result<OwnIdentity, IssueRefusal>> {
  const { clock, logger, ttlMs = DEFAULT_TTL_MS } = options;
  const first = await issue(options, ttlMs);
  if (!first.ok) return err(first.error);
  let current = first.value;
  let closed = false;
  const watchers = new Set<(svid: KeyedSvid) => void>();
  let timer: Timer = clock.after(ttlMs / 2, renew);

  function renew(): void {
    void issue(options, ttlMs).then((next) => {
      if (closed) return;
      if (next.ok) {
        current = next.value;
        timer = clock.after(ttlMs / 2, renew);
        for (const watcher of watchers) watcher(current);
      } else {
        logger?.error("own certificate not renewed", { spiffeId: options.spiffeId, cause: next.error.message });
        timer = clock.after(Math.max(MIN_DELAY_MS, ttlMs / RETRY_DIVISOR), renew);
      }
    });
  }

  return ok({
    get current() {
      return current;
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
  return issued.ok ? ok({ chainPem: issued.value.chainPem, keyPem, notAfterMs: issued.value.notAfterMs }) : issued;
}

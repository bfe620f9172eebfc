// Waits until the connected proxies have acknowledged what was just sent.

import type { Clock, Timer } from "@ripstop/core";

/** The connected proxies. */
export interface ProxyStreams {
  proxies(): readonly { readonly proxyId: string; readonly identity: string; readonly synced: boolean }[];
}

/** Who had something to acknowledge, and who has not. */
export interface Acknowledgements {
  readonly total: number;
  readonly pending: readonly string[];
  readonly elapsedMs: number;
}

const LOOK_MS = 5;

/** Call it in the turn of the change. A proxy that goes away is not waited for: it gets the newest state when it is back. */
export function waitForProxies(streams: ProxyStreams, clock: Clock, waitMs: number): Promise<Acknowledgements> {
  const startedMs = clock.monotonicMs();
  const all = streams.proxies();
  const waiting = new Set(all.filter(({ synced }) => !synced).map(({ proxyId }) => proxyId));
  return new Promise((resolve) => {
    let timer: Timer | undefined;
    const look = (): void => {
      const behind = new Set<string>();
      for (const { proxyId, synced } of streams.proxies()) if (!synced) behind.add(proxyId);
      for (const proxyId of waiting) if (!behind.has(proxyId)) waiting.delete(proxyId);
      const elapsedMs = clock.monotonicMs() - startedMs;
      if (waiting.size > 0 && elapsedMs < waitMs) return;
      timer?.clear();
      resolve({ total: all.length, pending: [...waiting], elapsedMs });
    };
    timer = clock.every(LOOK_MS, look);
    look();
  });
}

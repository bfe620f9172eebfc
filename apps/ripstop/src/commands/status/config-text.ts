// "Is it live yet?" for one proxy: whether it has acknowledged its whole config, since when not, or why it refused some.

import { parseWorkerStreamId, type ProxyView } from "@ripstop/model";

/** The config of each proxy in words, by workload id; the worst of its workers counts. */
export function configTexts(proxies: readonly ProxyView[]): ReadonlyMap<string, string> {
  const streams = new Map<string, ProxyView[]>();
  for (const proxy of proxies) {
    const { proxyId } = parseWorkerStreamId(proxy.proxyId);
    streams.set(proxyId, [...(streams.get(proxyId) ?? []), proxy]);
  }
  return new Map([...streams].map(([proxyId, workers]) => [proxyId, textOf(workers)]));
}

function textOf(workers: readonly ProxyView[]): string {
  const [refused] = workers.flatMap(({ rejected }) => rejected);
  if (refused !== undefined) return `rejected ${refused.type}: ${refused.reason}`;
  const behind = workers.filter(({ synced }) => !synced);
  if (behind.length === 0) return "synced";
  return `pending for ${Math.round(Math.max(...behind.map(({ pendingMs }) => pendingMs)))} ms`;
}

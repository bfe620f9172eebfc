// Where a listener of the control plane listens.

import type { Result } from "@ripstop/core";

import type { Failure } from "./failure.ts";

/** An address to listen on. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** Listens on the wanted port, or on a free one when that is taken, which is said; with a host, there or nowhere. */
export async function onPort<T extends { readonly port: number }>(
  { host, port: wanted }: { readonly host?: string; readonly port: number },
  what: string,
  notices: string[],
  listen: (port: number) => Promise<Result<T, Failure>>,
): Promise<Result<T, Failure>> {
  const first = await listen(wanted);
  if (first.ok || wanted === 0 || host !== undefined) return first;
  const second = await listen(0);
  if (second.ok) notices.push(`Port ${wanted} of the ${what} is taken; it uses ${second.value.port} instead.`);
  return second;
}

/** Reads what `formatAddress` wrote; undefined when it is none. */
export function parseAddress(address: string): HostAndPort | undefined {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, Math.max(0, colon)).replace(/^\[(.*)\]$/, "$1");
  const port = Number(address.slice(colon + 1));
  return host !== "" && Number.isInteger(port) && port > 0 && port < 65_536 ? { host, port } : undefined;
}

/** "HOST:PORT", with brackets around an IPv6 address. */
export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

// What the application is told about its mesh side: nothing but environment variables that programs know already.

import type { BootstrapUpstream } from "@ripstop/model";

/** Ports of the proxy, as far as the application is concerned. */
export interface OutboundPorts {
  readonly httpProxy: number;
  /** In the order of the upstreams. */
  readonly upstreams: readonly number[];
}

/** Hosts that are never asked through the HTTP proxy: the application's own machine, and so the upstream ports. */
const DIRECT_HOSTS = "127.0.0.1,localhost,::1";

/**
 * `base` with PORT (when the application has one), HTTP_PROXY and NO_PROXY in both spellings, NODE_USE_ENV_PROXY for
 * Node ≥ 24, and for each upstream NAME_SERVICE_HOST and NAME_SERVICE_PORT as Kubernetes has them.
 */
export function applicationEnvironment(
  base: NodeJS.ProcessEnv,
  port: number | undefined,
  upstreams: readonly BootstrapUpstream[],
  outbound: OutboundPorts,
): NodeJS.ProcessEnv {
  const proxy = `http://127.0.0.1:${outbound.httpProxy}`;
  const before = base["NO_PROXY"] ?? base["no_proxy"];
  const direct = before === undefined || before === "" ? DIRECT_HOSTS : `${before},${DIRECT_HOSTS}`;
  const env: NodeJS.ProcessEnv = {
    ...base,
    HTTP_PROXY: proxy,
    http_proxy: proxy,
    NO_PROXY: direct,
    no_proxy: direct,
    NODE_USE_ENV_PROXY: "1",
  };
  if (port !== undefined) env["PORT"] = String(port);
  for (const [index, upstream] of upstreams.entries()) {
    const name = environmentName(upstream.host);
    env[`${name}_SERVICE_HOST`] = "127.0.0.1";
    env[`${name}_SERVICE_PORT`] = String(outbound.upstreams[index] ?? 0);
  }
  // The IPC channel of this process is not the application's.
  delete env["NODE_CHANNEL_FD"];
  delete env["NODE_CHANNEL_SERIALIZATION_MODE"];
  return env;
}

/** "stock.shop" → "STOCK_SHOP". */
export function environmentName(host: string): string {
  return host.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
}

// Why an outbound request has nowhere to go, in words.

import type { Frontend } from "../4-route/frontend.ts";
import { formatAuthority, type HostPort } from "../2-identify/authority.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import {
  httpsInClear,
  noEgressGateway,
  noHealthyEndpoint,
  noSuchSubset,
  proxyLoop,
  unknownServicePort,
} from "../errors.ts";
import { refusal, type Refusal } from "./local-reply.ts";

const MAX_SUBSET_SHOWN = 64;

/** No endpoint could be picked; `subset` is the one that the request asks for, "" for none. */
export function noInstance({ service, endpoints, config }: Cluster, subset: string): Refusal {
  const external = config?.external;
  if (external?.gateway !== undefined) {
    const why =
      external.noGateway === undefined || external.noGateway === ""
        ? "none of its proxies can be reached"
        : external.noGateway;
    return refusal(noEgressGateway, `${external.host} is reached through Gateway ${external.gateway} only: ${why}`);
  }
  if (subset !== "" && endpoints.usable.length > 0) {
    return refusal(noSuchSubset, `no instance of ${service} is of the subset "${subset.slice(0, MAX_SUBSET_SHOWN)}"`);
  }
  const count = endpoints.all.length;
  const why = count === 0 ? "no instance is registered" : `none of its ${count} instances is ready`;
  return refusal(noHealthyEndpoint, `${service} cannot answer: ${why}`);
}

/** The service has no port `wanted`; 0 stands for 80. */
export function noSuchPort({ service, cluster }: Frontend, wanted: number): Refusal {
  const ports = cluster.config?.ports.map(({ port }) => port).join(", ") ?? "";
  const has = ports === "" ? "it has none, or does not exist any more" : `it has ${ports}`;
  return refusal(unknownServicePort, `${service} has no port ${wanted || 80}: ${has}`);
}

/** The instance does not serve `servicePort`. */
export function portNotOfInstance({ service }: Cluster, { id }: UpstreamEndpoint, servicePort: number): Refusal {
  return refusal(unknownServicePort, `${id} does not serve port ${servicePort} of ${service}`);
}

/** Why a host that is no service of the mesh is not asked as one outside; undefined when it is. */
export function notOutside(
  { host, port }: HostPort,
  { isProxy, scheme }: { readonly isProxy: boolean; readonly scheme: string },
): Refusal | undefined {
  if (isProxy) return refusal(proxyLoop, `${host}:${port} is the proxy itself`);
  if (scheme !== "https") return undefined;
  return refusal(httpsInClear, `${formatAuthority(host, port)} wants TLS, which only its client can begin`);
}

// Whether the host of a tunnel from another mesh means a workload of this proxy: its address, or a name of its service.

import type { HostedWorkload } from "../1-accept/hosted-workload.ts";

const MAPPED = "::ffff:";
const CLUSTER_SUFFIX = ".svc.cluster.local";

/** `localAddress` is where the tunnel's connection was accepted. */
export function namesWorkload(host: string, workload: HostedWorkload, localAddress: string): boolean {
  if (plainAddress(host) === plainAddress(localAddress) || host === workload.inboundHost) return true;
  const [serviceNamespace = "", service = ""] = (workload.view.workload?.service ?? "").split("/");
  const [namespace = "", instance = ""] = workload.id.split("/");
  const short = host.endsWith(CLUSTER_SUFFIX) ? host.slice(0, -CLUSTER_SUFFIX.length) : host;
  if (short === `${instance}.${namespace}`) return true;
  return (
    service !== "" && (short === `${service}.${serviceNamespace}` || host === `${service}.${serviceNamespace}.svc`)
  );
}

/** An IPv4 address that a socket of both families shows as IPv6, in its own form. */
function plainAddress(address: string): string {
  return address.startsWith(MAPPED) ? address.slice(MAPPED.length) : address;
}

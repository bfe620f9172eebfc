// What names an instance through its comings and goings: its id does not, a new start gives it a new one.

import { serviceOf, type RegisteredWorkload } from "../registry/registered-workload.ts";

const WORKLOAD = "workload ";
const IMPORTED = "imported ";

/** The key of a workload: its service, the host that its proxy listens on, and the ports of its application. */
export function workloadKey(workload: RegisteredWorkload): string {
  const { inboundAddress, ports } = workload;
  const host = inboundAddress.slice(0, inboundAddress.lastIndexOf(":"));
  return `${WORKLOAD}${serviceOf(workload)} ${host} ${ports.map(({ port }) => port).join(",")}`;
}

/** The key of an imported instance: "SOURCE" and "HOST:PORT". */
export function importedKey(source: string, instance: string): string {
  return `${IMPORTED}${source} ${instance}`;
}

/** Whose key it is: the service of workloads, or the name of an EndpointSource. */
export function ownerOfKey(key: string): { readonly service: string } | { readonly source: string } {
  const [, owner = ""] = key.split(" ", 2);
  return key.startsWith(WORKLOAD) ? { service: owner } : { source: owner };
}

// A service as the mesh sees it: declared by a Service resource, or implied by workloads that registered for its name.

import type { Resource, ServiceSpec } from "@ripstop/resources";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";

/** One port of a service. */
export interface ServicePortView {
  readonly port: number;
  /** "" when it has none. */
  readonly name: string;
  readonly targetPort: number | string | undefined;
  /** As declared; undefined leaves it to the workloads. */
  readonly appProtocol: string | undefined;
}

/** A service, wherever it comes from. */
export interface ServiceView {
  readonly namespace: string;
  readonly name: string;
  /** Labels that its workloads must all have; empty selects none. */
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePortView[];
  /** Virtual addresses. */
  readonly addresses: readonly string[];
}

/** The view of a Service resource. */
export function declaredService(service: Resource<ServiceSpec>): ServiceView {
  const { namespace, name } = service.metadata;
  const { selector, ports, clusterIP, clusterIPs } = service.spec;
  const addresses = new Set([...(clusterIPs ?? []), ...(clusterIP === undefined ? [] : [clusterIP])]);
  return {
    namespace,
    name,
    selector,
    ports: ports.map(({ port, name: portName = "", targetPort, appProtocol }) => ({
      port,
      name: portName,
      targetPort,
      appProtocol: appProtocol ?? protocolOfName(portName),
    })),
    addresses: [...addresses].filter((address) => address !== "" && address !== "None"),
  };
}

/** The service implied by workloads that registered for `name`; none when they offer no port (clients, jobs). */
export function impliedService(
  namespace: string,
  name: string,
  workloads: Iterable<RegisteredWorkload>,
): ServiceView | undefined {
  const ports = new Set<number>();
  for (const workload of workloads) for (const { servicePort } of workload.ports) ports.add(servicePort);
  if (ports.size === 0) return undefined;
  return {
    namespace,
    name,
    selector: { app: name },
    ports: [...ports]
      .sort((a, b) => a - b)
      .map((port) => ({ port, name: "", targetPort: undefined, appProtocol: undefined })),
    addresses: [],
  };
}

/** Whether `labels` have all of `selector`; an empty selector selects nothing. */
export function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

/** The protocol that a port's name declares by the common habit "http" or "http-admin". */
function protocolOfName(name: string): string | undefined {
  const [first = ""] = name.split("-");
  return ["http", "http2", "grpc", "tcp", "tls", "https"].includes(first) ? first : undefined;
}

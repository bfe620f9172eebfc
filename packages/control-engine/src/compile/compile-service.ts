// Service, HostBinding and Endpoints of the data-plane model.

import { isIP } from "node:net";

import {
  egressBindingName,
  Endpoint_Reach,
  type parseBindingName,
  Protocol,
  type Endpoint,
  type Endpoints,
  type HostBinding,
  type Service,
} from "@ripstop/model";
import { backendTlsOf, winner } from "@ripstop/policies/backend-tls-policy";
import { isDnsLabel } from "@ripstop/resources";

import type { RegisteredWorkload, WorkloadPort } from "../registry/registered-workload.ts";
import { referenceFacts } from "./compile-gateway.ts";
import { externalServiceName } from "./compile-external.ts";
import { gatewayOf, refusedBy } from "./egress-gateways.ts";
import { dampEndpoints, type DampedEndpoint } from "../damping/damp-endpoints.ts";
import { importedEndpoints } from "./compile-imports.ts";
import { sliceEndpoints, sliceProtocol } from "./compile-slices.ts";
import { protocolOfAppProtocol, protocolOfRegistration } from "./protocols.ts";
import { localityOf } from "./locality.ts";
import type { ServicePortView, ServiceView } from "./service-view.ts";
import type { WorldView } from "./world-view.ts";

const CLUSTER_SUFFIX = ".svc.cluster.local";

/** The Service "NAMESPACE/NAME", or undefined when there is none. */
export function compileService(view: WorldView, namespace: string, name: string): Service | undefined {
  const service = view.service(namespace, name);
  if (service === undefined) return undefined;
  const members = view.members(service, false);
  const slices = view.slicesOf(service);
  const tlsPolicies = view.backendPolicies(namespace, name);
  const compiled: Service = {
    namespace,
    name,
    hostnames: [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, `${name}.${namespace}${CLUSTER_SUFFIX}`],
    addresses: [...service.addresses],
    ports: service.ports.map((port) => {
      const policy = winner(tlsPolicies, name, port.name);
      return {
        port: port.port,
        name: port.name,
        protocol: portProtocol(port, members) || sliceProtocol(port, slices),
        ...(policy === undefined ? {} : { backendTls: backendTlsOf(policy, referenceFacts(view)) }),
      };
    }),
    resilience: undefined,
  };
  return attachedPolicies(view, compiled);
}

const NO_SERVICE = { hostnames: [], addresses: [], ports: [], resilience: undefined };

/** The Service with what the policies attached to it say. */
function attachedPolicies(view: WorldView, service: Service): Service {
  return view
    .attachedTo(service.namespace, service.name)
    .reduce((result, { policyKind, policy }) => policyKind.apply(policy, result), service);
}

/** The instances of a service; empty when none is registered, undefined when there is no such service. */
export function compileEndpoints(view: WorldView, namespace: string, name: string): Endpoints | undefined {
  const service = view.service(namespace, name);
  if (service === undefined) return undefined;
  const endpoints: DampedEndpoint[] = [];
  const { loadBalancing } = attachedPolicies(view, { ...NO_SERVICE, namespace, name });
  const subsetLabel = loadBalancing?.subset?.label;
  for (const workload of view.members(service, true)) {
    const targetPorts = targetPortsOf(service, workload);
    if (workload.inboundAddress === "" || targetPorts === undefined) continue;
    const endpoint: Endpoint = {
      id: workload.id,
      reach: Endpoint_Reach.MESH,
      address: workload.inboundAddress,
      spiffeId: workload.spiffeId,
      weight: weightOf(workload),
      healthy: workload.ready,
      locality: localityOf(workload),
      targetPorts,
      version: workload.labels["version"] ?? "",
      ...subsetOf(workload, subsetLabel),
    };
    endpoints.push({ endpoint, penalty: view.penaltyOfWorkload(workload) });
  }
  const written = sliceEndpoints(service, view.slicesOf(service));
  endpoints.push(...written.map((endpoint) => ({ endpoint, penalty: 0 })));
  const known = new Set(written.map(({ id }) => id));
  const imported = importedEndpoints(service, view.importsOf(service), {
    penaltyOf: (key) => view.penaltyOf(key),
    subsetLabel,
  });
  // What somebody wrote down wins.
  endpoints.push(...imported.filter(({ endpoint }) => !known.has(endpoint.id)));
  const panicShare = (loadBalancing?.panicPercent ?? 0) / 100;
  return { service: `${namespace}/${name}`, endpoints: [...dampEndpoints(endpoints, panicShare)] };
}

/** Label that says an instance's relative share of requests, 0 ... 1 000 000. */
const WEIGHT_LABEL = "ripstop.mesh/weight";
const MAX_WEIGHT = 1_000_000;

/** 1 without the label, or when it says no such number. */
function weightOf({ labels }: RegisteredWorkload): number {
  const text = labels[WEIGHT_LABEL] ?? "";
  return /^[0-9]{1,7}$/.test(text) ? Math.min(MAX_WEIGHT, Number(text)) : 1;
}

function subsetOf({ labels }: RegisteredWorkload, label: string | undefined): Pick<Endpoint, "subset"> {
  const value = label === undefined || !Object.hasOwn(labels, label) ? undefined : labels[label];
  return value === undefined ? {} : { subset: value };
}

/**
 * What `host` stands for to clients of a namespace: "svc" (their own namespace), "svc.ns", "svc.ns.svc" and
 * "svc.ns.svc.cluster.local", or a Service's virtual address. Undefined for a name that the mesh does not know.
 */
export function compileHostBinding(view: WorldView, clientNamespace: string, host: string): HostBinding | undefined {
  const named = isIP(host) > 0 ? view.serviceAt(host) : parseServiceHost(clientNamespace, host);
  const name = `${clientNamespace}~${host}`;
  if (named !== undefined && view.service(named.namespace, named.name) !== undefined)
    return { name, service: `${named.namespace}/${named.name}` };
  // Services of the mesh come first: no ExternalService takes their names.
  const external = view.externalFor(clientNamespace, host);
  if (external === undefined) return undefined;
  return { name, service: externalServiceName(external, host, gatewayOf(view, external, clientNamespace)) };
}

/**
 * What `host` is to a Gateway that callers of a namespace ask for it: the host itself. Undefined when they are not to reach it
 * through that Gateway, or it does not let them.
 */
export function compileEgressBinding(
  view: WorldView,
  { clientNamespace, host, gateway }: NonNullable<ReturnType<typeof parseBindingName>>,
): HostBinding | undefined {
  const external = view.externalFor(clientNamespace, host);
  if (external === undefined || gatewayOf(view, external, clientNamespace) !== gateway) return undefined;
  if (refusedBy(view, external, { gateway, namespace: clientNamespace, host }) !== undefined) return undefined;
  return { name: egressBindingName(clientNamespace, host, gateway), service: externalServiceName(external, host) };
}

/** Namespace and name of the service that a host name can only mean. */
export function parseServiceHost(
  clientNamespace: string,
  host: string,
): { readonly namespace: string; readonly name: string } | undefined {
  const short = host.endsWith(CLUSTER_SUFFIX) ? host.slice(0, -CLUSTER_SUFFIX.length) : host.replace(/\.svc$/, "");
  const [name = "", namespace, ...more] = short.split(".");
  if (more.length > 0 || (namespace === undefined && short !== host)) return undefined;
  if (!isDnsLabel(name) || !isDnsLabel(namespace ?? clientNamespace)) return undefined;
  return { namespace: namespace ?? clientNamespace, name };
}

/** Declared on the service, else what all its workloads agree on. */
function portProtocol(port: ServicePortView, members: readonly RegisteredWorkload[]): Protocol {
  const declared = protocolOfAppProtocol(port.appProtocol);
  if (declared !== Protocol.UNSPECIFIED) return declared;
  const registered = new Set<Protocol>();
  for (const member of members) {
    const target = targetPortOf(port, member);
    if (target !== undefined) registered.add(protocolOfRegistration(target.protocol));
  }
  const [only = Protocol.UNSPECIFIED] = registered;
  return registered.size === 1 ? only : Protocol.UNSPECIFIED;
}

function targetPortsOf(service: ServiceView, workload: RegisteredWorkload): Record<number, number> | undefined {
  const targets: Record<number, number> = {};
  for (const port of service.ports) {
    const target = targetPortOf(port, workload);
    if (target !== undefined) targets[port.port] = target.port;
  }
  return Object.keys(targets).length > 0 ? targets : undefined;
}

/**
 * The workload's port behind a service port: the one that targetPort numbers, else the one registered for that number
 * as its service port (an application's own port may be chosen at its start), else the only one when the service does
 * not say.
 */
function targetPortOf({ port, targetPort }: ServicePortView, workload: RegisteredWorkload): WorkloadPort | undefined {
  const { ports } = workload;
  const number = typeof targetPort === "number" ? targetPort : port;
  const found =
    ports.find((candidate) => candidate.port === number) ?? ports.find(({ servicePort }) => servicePort === number);
  if (found !== undefined) return found;
  return typeof targetPort !== "number" && ports.length === 1 ? ports[0] : undefined;
}

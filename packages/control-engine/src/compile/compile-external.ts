// ExternalServices of the data-plane model. Each host that is called becomes a service of its own, made when a proxy asks
// for it, so that a wildcard needs no list: "NAMESPACE/NAME.external.HOST". No Service is named so: they have no dots. For
// callers who reach it through a Gateway it is another service, with that Gateway's proxies as its endpoints.

import {
  Endpoint_Reach,
  Protocol,
  splitThrough,
  SubjectAltName_Type,
  throughGateway,
  type BackendTls,
  type Endpoint,
  type Endpoints,
  type Service,
} from "@ripstop/model";
import type { ExternalPort, ExternalServiceSpec } from "@ripstop/policies/external-service";
import { resourceName, type Resource } from "@ripstop/resources";

import { localityOf } from "./locality.ts";
import { instancesOf, type WaysOut } from "./egress-gateways.ts";
import type { WorldView } from "./world-view.ts";

const MARK = ".external.";

const PROTOCOLS: Readonly<Record<ExternalPort["protocol"], Protocol>> = {
  HTTP: Protocol.HTTP1,
  HTTP2: Protocol.HTTP2,
  GRPC: Protocol.GRPC,
  TLS: Protocol.TLS,
  TCP: Protocol.TCP,
};

/** A host of an ExternalService. */
export interface ExternalHost {
  readonly namespace: string;
  readonly name: string;
  readonly host: string;
  /** "NAMESPACE/NAME" of the Gateway that it is reached through; "" for none. */
  readonly gateway: string;
}

/** Name of the service that a host of an ExternalService is in the model, directly or through a Gateway ("" for none). */
export function externalServiceName(
  { metadata }: Resource<ExternalServiceSpec>,
  host: string,
  gateway: string = "",
): string {
  return throughGateway(`${metadata.namespace}/${metadata.name}${MARK}${host}`, gateway);
}

/** What such a name names; undefined for other names. */
export function parseExternalServiceName(name: string): ExternalHost | undefined {
  const { service: serviceName, gateway } = splitThrough(name);
  const slash = serviceName.indexOf("/");
  const mark = serviceName.indexOf(MARK, slash);
  if (slash < 0 || mark < 0) return undefined;
  return {
    namespace: serviceName.slice(0, slash),
    name: serviceName.slice(slash + 1, mark),
    host: serviceName.slice(mark + MARK.length),
    gateway,
  };
}

/** Whether one of the hosts is this one, or a wildcard above it. */
export function coversHost(hosts: readonly string[], host: string): boolean {
  return hosts.some((wanted) =>
    wanted.startsWith("*.") ? host.length > wanted.length - 1 && host.endsWith(wanted.slice(1)) : wanted === host,
  );
}

/** The service of a host; undefined when the ExternalService is gone or does not have the host. */
export function compileExternalService(view: WorldView, external: ExternalHost): Service | undefined {
  const resource = find(view, external);
  if (resource === undefined) return undefined;
  const { namespace, name, host, gateway } = external;
  const ways = gateway === "" ? undefined : instancesOf(view, gateway, host);
  const source = `ExternalService ${resourceName(resource)}`;
  return {
    namespace,
    name: `${name}${MARK}${host}`,
    hostnames: [host],
    addresses: [],
    ports: resource.spec.ports.map((port) => ({
      port: port.port,
      name: "",
      protocol: PROTOCOLS[port.protocol],
      // Through a Gateway it is the Gateway that speaks TLS to the host.
      ...(port.tls === undefined || ways !== undefined ? {} : { backendTls: compileTls(port.tls, host, source) }),
    })),
    resilience: undefined,
    external: ways === undefined ? { host } : { host, gateway, noGateway: ways.problem },
  };
}

/** Where the host is: its addresses as far as they are known, else by its name, which the proxies look up themselves. */
export function compileExternalEndpoints(view: WorldView, external: ExternalHost): Endpoints | undefined {
  const resource = find(view, external);
  if (resource === undefined) return undefined;
  const { spec } = resource;
  const { host, gateway } = external;
  if (gateway !== "") {
    const { instances } = instancesOf(view, gateway, host);
    return { service: externalServiceName(resource, host, gateway), endpoints: instances.map(gatewayEndpoint(spec)) };
  }
  const known = spec.resolution === "Static" ? (spec.addresses ?? []) : view.addressesOf(host);
  const targetPorts = Object.fromEntries(spec.ports.map(({ port, targetPort }) => [port, targetPort ?? port]));
  const endpoints = (known.length === 0 ? [host] : known).map((address): Endpoint => {
    const written = address.includes(":") ? `[${address}]` : address;
    return {
      id: address,
      reach: Endpoint_Reach.PLAIN,
      address: `${written}:${spec.ports[0]?.targetPort ?? spec.ports[0]?.port ?? 0}`,
      spiffeId: "",
      weight: 1,
      healthy: true,
      locality: undefined,
      targetPorts,
      version: "",
    };
  });
  return { service: externalServiceName(resource, host), endpoints };
}

/** The Gateway's proxy is named by its own identity, and by the port of the host that the caller wants. */
function gatewayEndpoint({ ports }: ExternalServiceSpec): (instance: WaysOut["instances"][number]) => Endpoint {
  const targetPorts = Object.fromEntries(ports.map(({ port }) => [port, port]));
  return ({ workload, address }) => ({
    id: workload.id,
    reach: Endpoint_Reach.MESH,
    address,
    spiffeId: workload.spiffeId,
    weight: 1,
    healthy: true,
    locality: localityOf(workload),
    targetPorts,
    version: workload.labels["version"] ?? "",
  });
}

function find(view: WorldView, { namespace, name, host }: ExternalHost): Resource<ExternalServiceSpec> | undefined {
  const resource = view.resource(`ExternalService/${namespace}/${name}`);
  if (resource === undefined) return undefined;
  const external = resource as Resource<ExternalServiceSpec>;
  return coversHost(external.spec.hosts, host) ? external : undefined;
}

function compileTls(tls: NonNullable<ExternalPort["tls"]>, host: string, source: string): BackendTls {
  return {
    hostname: tls.sni ?? host,
    rootsPem: tls.caCertificates ?? "",
    subjectAltNames: (tls.subjectAltNames ?? []).map((value) => ({ type: SubjectAltName_Type.DNS, value })),
    invalid: "",
    source,
  };
}

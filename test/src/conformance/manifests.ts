// Makes the resources of cases short to write: routes, Gateways, Services with their usual parts.

import type { Ask, Manifest, Step } from "./case.ts";

const GATEWAY_API = "gateway.networking.k8s.io";

/** Namespace of the cases, of their Gateways and of most backends. */
export const NAMESPACE = "conformance";

/** Another namespace, with a backend and a client of its own. */
export const OTHER_NAMESPACE = "conformance-web";

type Part = Readonly<Record<string, unknown>>;

/** What differs from the usual metadata. */
export interface Place {
  readonly name?: string;
  readonly namespace?: string;
}

/** Any resource of the Gateway API. */
export function resource(kind: string, name: string, spec: Part, place: Place = {}): Manifest {
  const metadata = { name: place.name ?? name, namespace: place.namespace ?? NAMESPACE };
  return { apiVersion: `${GATEWAY_API}/v1`, kind, metadata, spec };
}

/** A route for the host "CASE.example" at the Gateway "edge", unless `spec` says otherwise. */
export function route(kind: string, name: string, spec: Part, place: Place = {}): Manifest {
  const hostnames = kind === "HTTPRoute" || kind === "GRPCRoute" ? { hostnames: [`${name}.example`] } : {};
  return resource(kind, name, { parentRefs: [{ name: "edge", namespace: NAMESPACE }], ...hostnames, ...spec }, place);
}

/** An HTTPRoute, as `route` makes it. */
export function httpRoute(name: string, rules: readonly Part[], more: Part = {}, place: Place = {}): Manifest {
  return route("HTTPRoute", name, { rules, ...more }, place);
}

/** A backend on port 8080. */
export function to(name: string, more: Part = {}): Part {
  return { name, port: 8080, ...more };
}

/** A rule with matches that leads to one backend. */
export function rule(backend: string, ...matches: readonly Part[]): Part {
  return { ...(matches.length === 0 ? {} : { matches }), backendRefs: [to(backend)] };
}

/** A match of a path. */
export function path(type: "Exact" | "PathPrefix" | "RegularExpression", value: string, more: Part = {}): Part {
  return { path: { type, value }, ...more };
}

/** A Gateway of its own, with listeners open to all namespaces. The run gives it an address. */
export function gateway(name: string, listeners: readonly Part[], more: Part = {}): Manifest {
  const open = { allowedRoutes: { namespaces: { from: "All" } } };
  return resource("Gateway", name, {
    gatewayClassName: "ripstop",
    listeners: listeners.map((listener) => ({ ...open, ...listener })),
    ...more,
  });
}

/** An HTTP listener. */
export function http(name: string, more: Part = {}): Part {
  return { name, port: 80, protocol: "HTTP", ...more };
}

/** An HTTPS listener with the cases' certificate. */
export function https(name: string, more: Part = {}): Part {
  return { name, port: 443, protocol: "HTTPS", tls: { certificateRefs: [{ name: "certificate" }] }, ...more };
}

/** A Service over the instances of a backend; for mesh cases, which need a Service to attach to. */
export function service(name: string, backend: string, more: Part = {}, namespace: string = NAMESPACE): Manifest {
  const ports = [{ name: "http", port: 8080, targetPort: `${backend}-port` }];
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { app: backend }, ports, ...more },
  };
}

/**
 * A Service without a selector, and the EndpointSlice with its instance: the application of a backend itself, past its
 * proxy. By default it has port 8080 "http" and port 8443 "https".
 */
export function plainService(name: string, backend: string, ports: readonly Part[] = PLAIN_PORTS): readonly Manifest[] {
  const place = { name, namespace: NAMESPACE };
  return [
    { apiVersion: "v1", kind: "Service", metadata: place, spec: { ports } },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...place, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["127.0.0.1"] }],
      ports: ports.map(({ name: portName }) => ({ name: portName, port: `${backend}-port` })),
    },
  ];
}

const PLAIN_PORTS: readonly Part[] = [
  { name: "http", port: 8080, appProtocol: "http" },
  // Its name says TLS, as the usual one does; what is inside is HTTP all the same.
  { name: "https", port: 8443 },
];

/** A port of a Service whose target is the application of a backend. */
export function port(number: number, backend: string, more: Part = {}): Part {
  return { name: `p${number}`, port: number, targetPort: `${backend}-port`, ...more };
}

/** A parentRef to a Service. */
export function parentService(name: string, more: Part = {}): Part {
  return { group: "", kind: "Service", name, ...more };
}

/** An HTTPRoute of a Service. */
export function meshRoute(name: string, rules: readonly Part[], parent: Part = {}, place: Place = {}): Manifest {
  return resource("HTTPRoute", name, { parentRefs: [parentService(name, parent)], rules }, place);
}

/** A request to port 8080 of a Service of the cases' namespace, by a client of the same. */
export function call(name: string, more: Ask = {}): Ask {
  return { from: NAMESPACE, host: `${name}.${NAMESPACE}:8080`, ...more };
}

/** A ReferenceGrant in the other namespace. */
export function grant(name: string, from: string, target: Part, place: Place = {}): Manifest {
  return resource(
    "ReferenceGrant",
    name,
    { from: [{ group: GATEWAY_API, kind: from, namespace: NAMESPACE }], to: [{ group: "", ...target }] },
    { namespace: OTHER_NAMESPACE, ...place },
  );
}

/** The step that looks at the first parent of a route. */
export function parent(kind: string, name: string, ...conditions: readonly string[]): Step {
  return { status: `${kind} ${NAMESPACE}/${name}`, at: "parents.0", conditions };
}

/** The step that looks at a listener of a Gateway. */
export function listener(gatewayName: string, name: string, ...conditions: readonly string[]): Step {
  return { status: `Gateway ${NAMESPACE}/${gatewayName}`, at: `listeners.${name}`, conditions };
}

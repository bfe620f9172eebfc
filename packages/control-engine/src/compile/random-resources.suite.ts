// Random resources of every kind, with few names, so that they meet: for the test that recomputing equals starting anew.

import type { SeededRandom } from "@ripstop/testkit";

/** Namespaces of random resources. */
export const namespaces: readonly string[] = ["shop", "web"];
/** Services, declared or implied. */
export const services: readonly string[] = ["a", "b", "c"];
/** Names of everything else: of each kind and namespace there are two. */
export const names: readonly string[] = ["x", "y"];
/** Virtual addresses of Services. */
export const addresses: readonly string[] = ["10.96.0.1", "10.96.0.2"];
/** Hosts outside, as clients call them. */
export const hosts: readonly string[] = ["api.out.example", "v1.api.out.example", "ledger.example"];
const versions = ["v1", "v2"];

/** A certificate with its key, and the roots that it leads to. */
export interface RandomCertificate {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly rootsPem: string;
}

/** A resource as it is applied. */
export type RandomDocument = Readonly<Record<string, unknown>>;

/** A document of the kind of its key; what it refers to may be there or not. */
export type RandomKinds = Readonly<Record<string, () => RandomDocument>>;

/** Makers of documents, by kind: each call gives another one. */
export function randomKinds(random: SeededRandom, certificate: RandomCertificate): RandomKinds {
  const pick = <T>(values: readonly T[]): T => random.pick(values);
  /** Fields that may be there or not. */
  const maybe = (fields: object): object => pick([{}, fields]);
  const named = (): { name: string; namespace: string } => ({ name: pick(names), namespace: pick(namespaces) });
  const kindOf =
    (apiVersion: string) =>
    (kind: string, metadata: object, body: object): RandomDocument => ({ apiVersion, kind, metadata, ...body });
  const core = kindOf("v1");
  const gatewayApi = kindOf("gateway.networking.k8s.io/v1");
  const mesh = kindOf("ripstop.mesh/v1alpha1");
  const service = (): object => ({ group: "", kind: "Service", name: pick(services) });
  const targets = (): object => ({ targetRefs: [service()] });
  const backend = (): object => ({
    ...service(),
    port: 80,
    weight: pick([1, 2]),
    ...maybe({ namespace: pick(namespaces) }),
  });
  const toGateway = (): object => ({
    ...pick([{ kind: "Gateway" }, { kind: "Gateway" }, { group: "gateway.networking.k8s.io", kind: "ListenerSet" }]),
    name: pick(names),
    namespace: pick(namespaces),
    ...pick([{}, {}, { sectionName: pick(["http", "tls", "tcp"]) }]),
  });
  const parents = (): object => ({
    parentRefs: [pick([toGateway, () => ({ ...service(), namespace: pick(namespaces) })])()],
  });
  const rules = [{ from: [{ serviceAccounts: ["a"] }] }];
  const host = (): string => pick(["one.example", "*.example"]);
  const listeners = (): readonly object[] => {
    const allowed = { allowedRoutes: { namespaces: { from: pick(["Same", "All"]) } } };
    const certificateRefs = [{ name: pick(names), ...maybe({ namespace: pick(namespaces) }) }];
    const all = [
      { name: "http", port: pick([80, 81]), protocol: "HTTP", ...allowed, ...maybe({ hostname: host() }) },
      { name: "tls", port: 443, protocol: "HTTPS", tls: { certificateRefs }, ...allowed },
      { name: "tcp", port: 9000, protocol: pick(["TCP", "UDP"]), ...allowed },
      { name: "pass", port: 8443, protocol: "TLS", tls: { mode: "Passthrough" }, ...allowed },
    ];
    return all.filter((_, at) => at === 0 || pick([true, false]));
  };
  const stream = (kind: string, more: () => object = () => ({})): RandomDocument =>
    gatewayApi(kind, named(), { spec: { ...parents(), ...more(), rules: [{ backendRefs: [backend()] }] } });
  const jwks = { keys: [{ kty: "EC", crv: "P-256", kid: "1", use: "sig", ...POINT }] };

  return {
    Namespace: () =>
      core("Namespace", { name: pick(namespaces), labels: { "ripstop.mesh/faults": pick(["deny", "allow"]) } }, {}),
    Service: () =>
      core(
        "Service",
        { name: pick(services), namespace: pick(namespaces) },
        {
          spec: {
            selector: pick([{}, { app: pick(services) }, { app: pick(services), version: pick(versions) }]),
            ports: [{ port: pick([80, 81]), targetPort: pick([80, 8080]) }],
            ...maybe({ clusterIP: pick(addresses) }),
          },
        },
      ),
    EndpointSlice: () =>
      kindOf("discovery.k8s.io/v1")(
        "EndpointSlice",
        { ...named(), labels: { "kubernetes.io/service-name": pick(services) } },
        {
          addressType: "IPv4",
          endpoints: [{ addresses: [pick(["10.0.0.1", "10.0.0.2"])], conditions: { ready: pick([true, false]) } }],
          ports: [{ port: pick([8080, 8081]) }],
        },
      ),
    Secret: () =>
      core("Secret", named(), {
        type: "kubernetes.io/tls",
        stringData: { "tls.crt": certificate.chainPem, "tls.key": certificate.keyPem, ...maybe({ note: pick(names) }) },
      }),
    ConfigMap: () =>
      core("ConfigMap", named(), { data: { "ca.crt": pick([certificate.rootsPem, "none"]), note: pick(versions) } }),
    WorkloadIdentity: () =>
      mesh("WorkloadIdentity", named(), { spec: { nodes: [pick(names)], process: { uid: pick([1, 2]) } } }),
    TokenIssuer: () =>
      mesh(
        "TokenIssuer",
        { name: pick(names) },
        { spec: { issuer: `https://${pick(names)}.example`, audience: pick(names), jwks } },
      ),
    FederatedTrustDomain: () =>
      mesh(
        "FederatedTrustDomain",
        { name: pick(names) },
        { spec: { trustDomain: `${pick(names)}.example`, bundle: certificate.rootsPem } },
      ),
    LoginIssuer: () =>
      mesh(
        "LoginIssuer",
        { name: pick(names) },
        { spec: { issuer: `https://${pick(names)}.example`, audience: pick(names), jwks } },
      ),
    AccessBinding: () =>
      mesh(
        "AccessBinding",
        { name: pick(names) },
        { spec: { role: pick(["viewer", "admin"]), subjects: [{ issuer: pick(names), claim: "sub", value: "v" }] } },
      ),
    AuthorizationPolicy: () =>
      mesh("AuthorizationPolicy", named(), {
        spec: pick([
          { action: pick(["ALLOW", "DENY"]), rules },
          { action: "ALLOW", rules, ...targets() },
          { action: "ALLOW", rules, selector: { matchLabels: { version: pick(versions) } } },
        ]),
      }),
    BackendTLSPolicy: () =>
      gatewayApi("BackendTLSPolicy", named(), {
        spec: {
          ...targets(),
          validation: {
            hostname: host().replace("*", "w"),
            ...pick([
              { wellKnownCACertificates: "System" },
              { caCertificateRefs: [{ group: "", kind: "ConfigMap", name: pick(names) }] },
            ]),
          },
        },
      }),
    ExternalService: () =>
      mesh("ExternalService", named(), {
        spec: {
          hosts: [pick([...hosts.slice(0, 1), "*.out.example", "*.api.out.example", "ledger.example"])],
          visibility: pick(["Namespace", "Mesh"]),
          ports: [{ port: pick([80, 443]), protocol: "HTTP" }],
        },
      }),
    EndpointSource: () =>
      mesh(
        "EndpointSource",
        { name: pick(names) },
        {
          spec: {
            service: { namespace: pick(namespaces), name: pick(services) },
            dnsSrv: { name: `_http._tcp.${pick(services)}.example`, nameServers: ["192.0.2.53"] },
          },
        },
      ),
    FaultInjection: () =>
      mesh("FaultInjection", named(), {
        spec: {
          expires: "2026-01-01T12:00:00Z",
          ...pick([{}, targets()]),
          rules: [{ abort: { httpStatus: pick([500, 503]) } }],
        },
      }),
    Gateway: () =>
      gatewayApi("Gateway", named(), {
        spec: {
          gatewayClassName: pick(["ripstop", "ripstop", "other"]),
          listeners: listeners(),
          ...maybe({ allowedListeners: { namespaces: { from: pick(["Same", "All"]) } } }),
        },
      }),
    GatewayClass: () =>
      gatewayApi(
        "GatewayClass",
        { name: pick(["ripstop", "ripstop", "other"]) },
        { spec: { controllerName: pick(["ripstop.mesh/control", "ripstop.mesh/control", "else.example/controller"]) } },
      ),
    GRPCRoute: () =>
      gatewayApi("GRPCRoute", named(), {
        spec: {
          ...parents(),
          ...maybe({ hostnames: [host()] }),
          rules: [{ matches: [{ method: { service: pick(services) } }], backendRefs: [backend()] }],
        },
      }),
    HTTPRoute: () =>
      gatewayApi("HTTPRoute", named(), {
        spec: {
          ...parents(),
          ...maybe({ hostnames: [host()] }),
          rules: [
            {
              ...maybe({
                filters: [{ type: "RequestMirror", requestMirror: { backendRef: { ...service(), port: 80 } } }],
              }),
              backendRefs: [backend()],
            },
          ],
        },
      }),
    ListenerSet: () =>
      gatewayApi("ListenerSet", named(), {
        spec: {
          parentRef: { name: pick(names), namespace: pick(namespaces) },
          listeners: [{ name: "http", port: pick([80, 8080]), protocol: "HTTP" }],
        },
      }),
    LoadBalancingPolicy: () =>
      mesh("LoadBalancingPolicy", named(), {
        spec: {
          ...targets(),
          algorithm: pick(["RoundRobin", "Random"]),
          ...maybe({ subsets: { label: "version", header: "x-v" } }),
        },
      }),
    RateLimitPolicy: () =>
      mesh("RateLimitPolicy", named(), {
        spec: {
          ...targets(),
          rules: [{ name: "all", scope: pick(["Local", "Global"]), limit: { requests: pick([1, 2]), period: "1s" } }],
        },
      }),
    ReferenceGrant: () =>
      gatewayApi("ReferenceGrant", named(), {
        spec: {
          from: [
            {
              group: "gateway.networking.k8s.io",
              kind: pick(["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "Gateway"]),
              namespace: pick(namespaces),
            },
          ],
          to: [{ group: "", kind: pick(["Service", "Secret"]) }],
        },
      }),
    ResiliencePolicy: () =>
      mesh("ResiliencePolicy", named(), { spec: { ...targets(), timeouts: { request: pick(["1s", "2s"]) } } }),
    TCPRoute: () => stream("TCPRoute"),
    TLSRoute: () => stream("TLSRoute", () => ({ hostnames: [host()] })),
    UDPRoute: () => stream("UDPRoute"),
  };
}

/** The base point of P-256: a public key that is valid, and nobody's. */
const POINT = {
  x: "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
  y: "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
};

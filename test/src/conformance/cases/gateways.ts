// Gateways and GatewayClasses: what their statuses say, and what works all the same.

import type { Case } from "../case.ts";
import {
  gateway,
  http,
  httpRoute,
  https,
  listener,
  NAMESPACE,
  OTHER_NAMESPACE,
  plainService,
  resource,
  route,
  rule,
} from "../manifests.ts";

type Part = Readonly<Record<string, unknown>>;

const whole = (name: string, ...conditions: readonly string[]): { status: string; conditions: readonly string[] } => ({
  status: `Gateway ${NAMESPACE}/${name}`,
  conditions,
});
const tls = (name: string, ref: Part): Part => ({ ...https(name), tls: { certificateRefs: [ref] } });
const PROGRAMMED = "Programmed=True/Programmed";
const grantSecret = (name: string, from: Part, to: Part): ReturnType<typeof resource> =>
  resource(
    "ReferenceGrant",
    name,
    {
      from: [{ group: "gateway.networking.k8s.io", kind: "Gateway", namespace: NAMESPACE, ...from }],
      to: [{ group: "", kind: "Secret", ...to }],
    },
    { namespace: OTHER_NAMESPACE },
  );
const secret = (name: string, data: Part, namespace: string = OTHER_NAMESPACE): ReturnType<typeof resource> => ({
  apiVersion: "v1",
  kind: "Secret",
  type: "Opaque",
  metadata: { name, namespace },
  stringData: data,
});
/** One Gateway with a Secret of the other namespace, which no client speaks to. */
const elsewhere = (name: string): readonly ReturnType<typeof resource>[] => [
  gateway(name, [tls("https", { name: "certificate", namespace: OTHER_NAMESPACE })]),
];

/** The cases. */
export const gateways: readonly Case[] = [
  {
    name: "gateway-class",
    holds:
      "a class of ours is Accepted, of a supported version, with its features sorted; conditions follow its generation",
    features: ["Gateway"],
    rules: [35, 15],
    tests: ["GatewayClassObservedGenerationBump"],
    resources: [
      resource("GatewayClass", "conformance-class", { controllerName: "ripstop.mesh/control" }, { namespace: "" }),
    ],
    steps: [
      {
        status: "GatewayClass conformance-class",
        conditions: ["Accepted=True/Accepted", "SupportedVersion=True/SupportedVersion"],
        fields: { "supportedFeatures.0.name": "BackendTLSPolicy" },
      },
      {
        apply: [
          resource(
            "GatewayClass",
            "conformance-class",
            { controllerName: "ripstop.mesh/control", description: "changed" },
            { namespace: "" },
          ),
        ],
      },
      { status: "GatewayClass conformance-class", conditions: ["Accepted=True/Accepted"] },
      {
        apply: [
          resource(
            "GatewayClass",
            "conformance-class",
            {
              controllerName: "ripstop.mesh/control",
              parametersRef: { group: "example.com", kind: "Nothing", name: "none" },
            },
            { namespace: "" },
          ),
        ],
      },
      { status: "GatewayClass conformance-class", conditions: ["Accepted=False/InvalidParameters"] },
    ],
  },
  {
    name: "gateway-generation",
    holds: "conditions of a Gateway and its listeners follow its generation; listeners come and go with their traffic",
    features: ["Gateway"],
    rules: [15],
    tests: ["GatewayObservedGenerationBump", "GatewayModifyListeners"],
    resources: [
      gateway("gateway-generation", [http("one")]),
      httpRoute("gateway-generation", [rule("v1")], { parentRefs: [{ name: "gateway-generation" }] }),
    ],
    steps: [
      { ask: { via: "gateway-generation" }, expect: { backend: "v1" } },
      whole("gateway-generation", "Accepted=True/Accepted", PROGRAMMED),
      { apply: [gateway("gateway-generation", [http("one"), http("two", { port: 8080 })])] },
      { ask: { via: "gateway-generation", port: 8080 }, expect: { backend: "v1" } },
      whole("gateway-generation", "Accepted=True/Accepted", PROGRAMMED),
      listener("gateway-generation", "two", "Accepted=True/Accepted", PROGRAMMED),
      { apply: [gateway("gateway-generation", [http("two", { port: 8080 })])] },
      { ask: { via: "gateway-generation" }, expect: { failed: true } },
      { ask: { via: "gateway-generation", port: 8080 }, expect: { backend: "v1" } },
    ],
  },
  {
    name: "conflicted-listeners",
    holds:
      "HTTP and HTTPS on one port, and TCP with HTTP, are in conflict: none of them wins, the Gateway says ListenersNotValid",
    features: ["Gateway"],
    rules: [10, 12],
    resources: [
      gateway("conflicted-listeners", [
        http("good"),
        http("plain", { port: 8080 }),
        https("secure", { port: 8080 }),
        http("web", { port: 8081 }),
        { name: "tcp", port: 8081, protocol: "TCP" },
      ]),
      httpRoute("conflicted-listeners", [rule("v1")], {
        parentRefs: [{ name: "conflicted-listeners", sectionName: "good" }],
      }),
    ],
    steps: [
      whole("conflicted-listeners", "Accepted=True/ListenersNotValid"),
      listener("conflicted-listeners", "plain", "Conflicted=True/ProtocolConflict|HostnameConflict", "Accepted=False"),
      listener(
        "conflicted-listeners",
        "secure",
        "Conflicted=True/ProtocolConflict|HostnameConflict",
        "Programmed=False",
      ),
      listener("conflicted-listeners", "web", "Conflicted=True/ProtocolConflict"),
      listener("conflicted-listeners", "tcp", "Conflicted=True/ProtocolConflict"),
      listener("conflicted-listeners", "good", "Accepted=True/Accepted", "!Conflicted"),
      { ask: { via: "conflicted-listeners" }, expect: { backend: "v1" } },
    ],
  },
  {
    name: "same-listener-refused",
    holds: "two listeners of one port, protocol and host name are refused",
    features: ["Gateway"],
    rules: [10],
    steps: [{ refused: gateway("same-listener", [http("one"), http("two")]), says: /unique/ }],
  },
  {
    name: "unsupported-protocol",
    holds:
      "with one good listener the Gateway is Accepted (ListenersNotValid), with none it is not; unknown values crash nothing",
    features: ["Gateway"],
    rules: [12, 13, 35],
    tests: ["GatewayListenerUnsupportedProtocol"],
    resources: [
      gateway("unsupported-some", [http("good"), { name: "odd", port: 8080, protocol: "example.com/odd" }]),
      gateway("unsupported-all", [{ name: "odd", port: 8080, protocol: "example.com/odd" }]),
    ],
    steps: [
      whole("unsupported-some", "Accepted=True/ListenersNotValid"),
      {
        ...listener("unsupported-some", "odd", "Accepted=False/UnsupportedProtocol"),
        fields: { supportedKinds: [] },
      },
      whole("unsupported-all", "Accepted=False/ListenersNotValid"),
    ],
  },
  {
    name: "invalid-route-kind",
    holds:
      "supportedKinds lists the kinds that are valid for the protocol; others make ResolvedRefs False, InvalidRouteKinds",
    features: ["Gateway"],
    rules: [13],
    tests: ["GatewayInvalidRouteKind"],
    resources: [
      gateway("invalid-route-kind", [
        http("only", { allowedRoutes: { kinds: [{ kind: "InvalidRoute" }] } }),
        http("some", { port: 8080, allowedRoutes: { kinds: [{ kind: "InvalidRoute" }, { kind: "HTTPRoute" }] } }),
        http("wrong", { port: 8081, allowedRoutes: { kinds: [{ kind: "TCPRoute" }] } }),
      ]),
    ],
    steps: [
      {
        status: "Gateway conformance/invalid-route-kind",
        at: "listeners.only",
        conditions: ["ResolvedRefs=False/InvalidRouteKinds"],
        fields: { supportedKinds: [] },
      },
      {
        status: "Gateway conformance/invalid-route-kind",
        at: "listeners.some",
        conditions: ["ResolvedRefs=False/InvalidRouteKinds"],
        fields: { supportedKinds: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute" }] },
      },
      {
        status: "Gateway conformance/invalid-route-kind",
        at: "listeners.wrong",
        conditions: ["ResolvedRefs=False/InvalidRouteKinds"],
        fields: { supportedKinds: [] },
      },
    ],
  },
  {
    name: "invalid-certificates",
    holds:
      "a Secret that is missing, of a bad kind or malformed is InvalidCertificateRef, and the listener is not programmed but accepted",
    features: ["Gateway"],
    rules: [12],
    tests: ["GatewayInvalidTLSConfiguration"],
    resources: [
      secret("malformed", { "tls.crt": "Hello world", "tls.key": "Hello world" }, NAMESPACE),
      gateway("invalid-certificates", [
        tls("missing", { name: "no-such-secret" }),
        { ...tls("kind", { name: "certificate", group: "example.com", kind: "Odd" }), port: 8443 },
        { ...tls("malformed", { name: "malformed" }), port: 9443 },
        http("good"),
      ]),
    ],
    steps: ["missing", "kind", "malformed"].map((name) =>
      listener(
        "invalid-certificates",
        name,
        "Accepted=True/Accepted",
        "ResolvedRefs=False/InvalidCertificateRef",
        "Programmed=False/Invalid",
      ),
    ),
  },
  {
    name: "invalid-parameters",
    holds: "parameters of the infrastructure that are not known make the Gateway not Accepted, InvalidParameters",
    features: ["Gateway"],
    tests: ["GatewayInvalidParametersRef"],
    resources: [
      gateway("invalid-parameters", [http("http")], {
        infrastructure: { parametersRef: { group: "example.com", kind: "Nothing", name: "none" } },
      }),
    ],
    steps: [whole("invalid-parameters", "Accepted=False/InvalidParameters")],
  },
  {
    name: "secret-without-grant",
    holds: "a Secret of another namespace needs a grant: RefNotPermitted",
    features: ["ReferenceGrant"],
    rules: [12, 19],
    tests: ["GatewaySecretMissingReferenceGrant"],
    resources: [
      gateway("secret-without-grant", [tls("https", { name: "ungranted", namespace: "conformance-closed" })]),
    ],
    steps: [listener("secret-without-grant", "https", "ResolvedRefs=False/RefNotPermitted", "Programmed=False")],
  },
  {
    name: "secret-grants",
    holds:
      "grants for another name, kind or namespace do not count; one for the Secret does, until it is taken away; one for all does",
    features: ["ReferenceGrant"],
    rules: [19],
    tests: [
      "GatewaySecretInvalidReferenceGrant",
      "GatewaySecretReferenceGrantSpecific",
      "GatewaySecretReferenceGrantAllInNamespace",
    ],
    resources: [
      grantSecret("secret-other-name", {}, { name: "other" }),
      grantSecret("secret-other-kind", { kind: "HTTPRoute" }, {}),
      grantSecret("secret-other-from", { namespace: "elsewhere" }, {}),
      ...elsewhere("secret-grants"),
    ],
    steps: [
      listener("secret-grants", "https", "ResolvedRefs=False/RefNotPermitted"),
      { apply: [grantSecret("secret-specific", {}, { name: "certificate" })] },
      listener("secret-grants", "https", "ResolvedRefs=True/ResolvedRefs", PROGRAMMED),
      { remove: `ReferenceGrant ${OTHER_NAMESPACE}/secret-specific` },
      listener("secret-grants", "https", "ResolvedRefs=False/RefNotPermitted"),
      { apply: [grantSecret("secret-all", {}, {})] },
      listener("secret-grants", "https", "ResolvedRefs=True/ResolvedRefs"),
      { remove: `ReferenceGrant ${OTHER_NAMESPACE}/secret-all` },
    ],
  },
  {
    name: "attached-routes",
    holds:
      "attachedRoutes counts accepted routes, also where the listener or the route's backends are bad, and no others",
    features: ["Gateway"],
    rules: [14],
    tests: ["GatewayWithAttachedRoutes"],
    resources: [
      gateway("attached-routes", [
        http("http"),
        tls("unresolved", { name: "no-such-secret" }),
        http("hosted", { port: 8080, hostname: "only.example" }),
      ]),
      httpRoute("attached-1", [rule("v1")], { parentRefs: [{ name: "attached-routes", sectionName: "http" }] }),
      httpRoute("attached-2", [rule("nowhere")], { parentRefs: [{ name: "attached-routes", sectionName: "http" }] }),
      httpRoute("attached-3", [rule("v1")], { parentRefs: [{ name: "attached-routes", sectionName: "unresolved" }] }),
      httpRoute("attached-4", [rule("v1")], { parentRefs: [{ name: "attached-routes", sectionName: "hosted" }] }),
    ],
    steps: [
      { status: "Gateway conformance/attached-routes", at: "listeners.http", fields: { attachedRoutes: 2 } },
      { status: "Gateway conformance/attached-routes", at: "listeners.unresolved", fields: { attachedRoutes: 1 } },
      { status: "Gateway conformance/attached-routes", at: "listeners.hosted", fields: { attachedRoutes: 0 } },
    ],
  },
  {
    name: "unsupported-address",
    holds: "an address of an unknown type makes the Gateway not Accepted, UnsupportedAddress",
    features: ["GatewayStaticAddresses"],
    rules: [34, 35],
    tests: ["GatewayStaticAddresses"],
    resources: [
      gateway("unsupported-address", [http("http")], { addresses: [{ type: "example.com/odd", value: "x" }] }),
    ],
    steps: [whole("unsupported-address", "Accepted=False/UnsupportedAddress")],
  },
  {
    name: "unusable-address",
    holds:
      "an address that cannot be used: Accepted, but Programmed False, AddressNotUsable; the status lists the usable ones",
    features: ["GatewayStaticAddresses"],
    rules: [34],
    tests: ["GatewayStaticAddresses"],
    resources: [
      gateway("unusable-address", [http("http")], {
        addresses: [
          { type: "IPAddress", value: "127.42.0.1" },
          { type: "IPAddress", value: "192.0.2.1" },
        ],
      }),
    ],
    steps: [
      {
        ...whole("unusable-address", "Accepted=True/Accepted", "Programmed=False/AddressNotUsable"),
        fields: { addresses: [{ type: "IPAddress", value: "127.42.0.1" }] },
      },
    ],
  },
  {
    name: "address-of-type-hostname",
    holds: "an address of a known type that cannot be used is AddressNotUsable",
    features: ["GatewayStaticAddresses"],
    rules: [34],
    resources: [
      gateway("address-of-type-hostname", [http("http")], {
        addresses: [{ type: "Hostname", value: "gateway.invalid" }],
      }),
    ],
    steps: [whole("address-of-type-hostname", "Accepted=True/Accepted", "Programmed=False/AddressNotUsable")],
  },
  {
    name: "empty-address",
    holds: "an address without a value is any of that type",
    features: ["GatewayAddressEmpty"],
    rules: [34],
    tests: ["GatewayOptionalAddressValue"],
    resources: [gateway("empty-address", [http("http", { port: 7080 })], { addresses: [{ type: "IPAddress" }] })],
    steps: [
      { ...whole("empty-address", "Accepted=True/Accepted", PROGRAMMED), fields: { "addresses.0.type": "IPAddress" } },
    ],
  },
  {
    name: "infrastructure",
    holds: "labels and annotations of spec.infrastructure come to what runs for the Gateway, and follow their changes",
    features: ["GatewayInfrastructurePropagation"],
    tests: ["GatewayInfrastructure"],
    resources: [
      gateway("infrastructure", [http("http", { port: 8080 })], {
        infrastructure: { labels: { key2: "value2" }, annotations: { key1: "value1" } },
      }),
    ],
    steps: [
      whole("infrastructure", "Accepted=True/Accepted", PROGRAMMED),
      {
        generated: "infrastructure",
        labels: { key2: "value2", "gateway.networking.k8s.io/gateway-class-name": "ripstop" },
        annotations: { key1: "value1" },
      },
      {
        apply: [
          gateway("infrastructure", [http("http", { port: 8080 })], {
            infrastructure: { labels: { key3: "value3" }, annotations: { key1: "other" } },
          }),
        ],
      },
      { generated: "infrastructure", labels: { key2: null, key3: "value3" }, annotations: { key1: "other" } },
    ],
  },
  {
    name: "longest-name",
    holds: "a name of 253 characters works",
    features: ["Gateway"],
    tests: ["GatewayNameMaximumLength"],
    resources: [
      gateway(`${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.${"e".repeat(9)}`, [
        http("http"),
      ]),
      httpRoute("longest-name", [rule("v1")], {
        parentRefs: [
          { name: `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.${"e".repeat(9)}` },
        ],
      }),
    ],
    steps: [
      {
        ask: { via: `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.${"e".repeat(9)}` },
        expect: { backend: "v1" },
      },
    ],
  },
  {
    name: "client-certificates",
    holds: "AllowValidOnly lets clients in only with a certificate of the roots; a port can differ from the default",
    features: ["GatewayFrontendClientCertificateValidation"],
    rules: [30],
    tests: ["GatewayFrontendClientCertificateValidation"],
    resources: [
      gateway("client-certificates", [https("https"), https("open", { port: 8443 })], {
        tls: {
          frontend: {
            default: { validation: { caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "roots" }] } },
            perPort: [{ port: 8443, tls: {} }],
          },
        },
      }),
      httpRoute("client-certificates", [rule("v1")], { parentRefs: [{ name: "client-certificates" }] }),
    ],
    steps: [
      { ask: { via: "client-certificates", scheme: "https", certificate: "known" }, expect: { backend: "v1" } },
      { ask: { via: "client-certificates", scheme: "https", certificate: "unknown" }, expect: { failed: true } },
      { ask: { via: "client-certificates", scheme: "https" }, expect: { failed: true } },
      { ask: { via: "client-certificates", scheme: "https", port: 8443 }, expect: { backend: "v1" } },
    ],
  },
  {
    name: "client-certificates-fallback",
    holds: "AllowInsecureFallback lets everybody in, and the Gateway says so",
    features: ["GatewayFrontendClientCertificateValidationInsecureFallback"],
    rules: [30],
    tests: ["GatewayFrontendClientCertificateValidationInsecureFallback"],
    resources: [
      gateway("client-fallback", [https("https")], {
        tls: {
          frontend: {
            default: {
              validation: {
                mode: "AllowInsecureFallback",
                caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "roots" }],
              },
            },
          },
        },
      }),
      httpRoute("client-fallback", [rule("v1")], { parentRefs: [{ name: "client-fallback" }] }),
    ],
    steps: [
      { ask: { via: "client-fallback", scheme: "https", host: "client-fallback.example" }, expect: { backend: "v1" } },
      {
        ask: { via: "client-fallback", scheme: "https", host: "client-fallback.example", certificate: "unknown" },
        expect: { backend: "v1" },
      },
      whole("client-fallback", "InsecureFrontendValidationMode=True"),
    ],
  },
  {
    name: "client-certificates-invalid",
    holds:
      "without valid roots an HTTPS listener is not accepted (NoValidCACertificate), an HTTP listener is not touched",
    features: ["GatewayFrontendClientCertificateValidation"],
    rules: [30],
    tests: [
      "GatewayInvalidFrontendClientCertificateValidation",
      "GatewayFrontendInvalidDefaultClientCertificateValidation",
    ],
    resources: [
      gateway("client-invalid", [https("https"), http("http")], {
        tls: {
          frontend: {
            default: { validation: { caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "none" }] } },
          },
        },
      }),
    ],
    steps: [
      listener(
        "client-invalid",
        "https",
        "Accepted=False/NoValidCACertificate",
        "ResolvedRefs=False/InvalidCACertificateRef",
      ),
      listener("client-invalid", "http", "Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"),
    ],
  },
  {
    name: "backend-client-certificate",
    holds:
      "a client certificate for backends that is there is resolved, one that is not is InvalidClientCertificateRef",
    features: ["GatewayBackendClientCertificate"],
    rules: [30],
    tests: ["GatewayInvalidTLSBackendConfiguration"],
    resources: [
      gateway("backend-client-good", [http("http")], {
        tls: { backend: { clientCertificateRef: { name: "client-certificate" } } },
      }),
      gateway("backend-client-bad", [http("http")], { tls: { backend: { clientCertificateRef: { name: "none" } } } }),
    ],
    steps: [
      whole("backend-client-good", "Accepted=True", "ResolvedRefs=True"),
      whole("backend-client-bad", "ResolvedRefs=False/InvalidClientCertificateRef"),
    ],
  },
  {
    name: "backend-client-certificate-shown",
    holds: "the Gateway shows its client certificate to a backend with TLS",
    features: ["GatewayBackendClientCertificate"],
    rules: [30],
    tests: ["GatewayTLSBackendClientCertificate"],
    resources: [
      gateway("backend-client-shown", [http("http")], {
        tls: { backend: { clientCertificateRef: { name: "client-certificate" } } },
      }),
      gateway("backend-client-none", [http("http")]),
      ...plainService("backend-client-shown", "v1"),
      resource("BackendTLSPolicy", "backend-client-shown", {
        targetRefs: [{ group: "", kind: "Service", name: "backend-client-shown", sectionName: "https" }],
        validation: {
          caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "roots" }],
          hostname: "abc.example.com",
        },
      }),
      httpRoute("backend-client-shown", [{ backendRefs: [{ name: "backend-client-shown", port: 8443 }] }], {
        parentRefs: [{ name: "backend-client-shown" }, { name: "backend-client-none" }],
        hostnames: ["backend-client-certificate-shown.example"],
      }),
    ],
    steps: [
      { ask: { via: "backend-client-shown" }, expect: { backend: "v1", clientNames: /DNS:client\.example/ } },
      { ask: { via: "backend-client-none" }, expect: { backend: "v1", clientNames: "" } },
    ],
  },
  {
    name: "grpc-only-listener",
    holds: "a listener for GRPCRoutes lists that kind alone",
    features: ["Gateway", "GRPCRoute"],
    rules: [13],
    resources: [
      gateway("grpc-only", [http("http", { allowedRoutes: { kinds: [{ kind: "GRPCRoute" }] } })]),
      route("GRPCRoute", "grpc-only", {
        parentRefs: [{ name: "grpc-only" }],
        rules: [{ backendRefs: [{ name: "v1", port: 9000 }] }],
      }),
    ],
    steps: [
      {
        status: "Gateway conformance/grpc-only",
        at: "listeners.http",
        fields: { supportedKinds: [{ group: "gateway.networking.k8s.io", kind: "GRPCRoute" }], attachedRoutes: 1 },
      },
    ],
  },
];

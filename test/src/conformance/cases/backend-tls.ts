// BackendTLSPolicy: statuses, and traffic to backends that are no instances of the mesh.

import type { Case, Manifest, Step } from "../case.ts";
import {
  gateway,
  httpRoute,
  https,
  NAMESPACE,
  path,
  plainService,
  resource,
  route,
  rule,
  service,
  to,
} from "../manifests.ts";

type Part = Readonly<Record<string, unknown>>;

const ROOTS: Part = { group: "", kind: "ConfigMap", name: "roots" };
const policy = (name: string, target: string, more: Part = {}, refs: readonly Part[] = [ROOTS]): Manifest =>
  resource("BackendTLSPolicy", name, {
    targetRefs: [{ group: "", kind: "Service", name: target, ...more }],
    validation: { caCertificateRefs: refs, hostname: "abc.example.com" },
  });
const says = (name: string, ...conditions: readonly string[]): Step => ({
  status: `BackendTLSPolicy ${NAMESPACE}/${name}`,
  at: "ancestors.0",
  conditions,
});
const backed = (name: string): readonly Manifest[] => [service(name, "backend-v1"), httpRoute(name, [rule(name)])];
/** A plain Service whose port 8443 is spoken to by a policy of its own, and a rule for the path "/NAME" that leads there. */
interface Backend {
  readonly name: string;
  readonly validation?: Part;
}

function secured(caseName: string, backends: readonly Backend[]): readonly Manifest[] {
  return [
    ...backends.flatMap(({ name, validation = {} }) => [
      ...plainService(`${caseName}-${name}`, "v1"),
      resource("BackendTLSPolicy", `${caseName}-${name}`, {
        targetRefs: [{ group: "", kind: "Service", name: `${caseName}-${name}`, sectionName: "https" }],
        validation: { caCertificateRefs: [ROOTS], hostname: HOSTNAME, ...validation },
      }),
    ]),
    httpRoute(
      caseName,
      backends.map(({ name }) => ({
        matches: [path("PathPrefix", `/${name}`)],
        backendRefs: [{ name: `${caseName}-${name}`, port: 8443 }],
      })),
    ),
  ];
}

const HOSTNAME = "abc.example.com";
const names = (...list: readonly Part[]): Part => ({ subjectAltNames: list });
const works = (name: string, serverName: string = HOSTNAME): Step => ({
  ask: { path: `/${name}` },
  expect: { backend: "v1", serverName },
});
const fails = (name: string): Step => ({ ask: { path: `/${name}` }, expect: { status: [500, 502, 503] } });

/** The cases. */
export const backendTls: readonly Case[] = [
  {
    name: "backend-tls-status",
    holds: "a policy has an entry for the Gateway that leads to its Service, of its own generation after a change",
    features: ["BackendTLSPolicy"],
    rules: [29, 15],
    tests: ["BackendTLSPolicyObservedGenerationBump"],
    resources: [...backed("backend-tls-status"), policy("backend-tls-status", "backend-tls-status")],
    steps: [
      {
        status: "BackendTLSPolicy conformance/backend-tls-status",
        at: "ancestors.0",
        conditions: ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"],
        fields: { "ancestorRef.kind": "Gateway", "ancestorRef.name": "edge" },
      },
      {
        apply: [
          resource("BackendTLSPolicy", "backend-tls-status", {
            targetRefs: [{ group: "", kind: "Service", name: "backend-tls-status" }],
            validation: { caCertificateRefs: [ROOTS], hostname: "changed.example.com" },
          }),
        ],
      },
      says("backend-tls-status", "Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"),
    ],
  },
  {
    name: "backend-tls-conflict",
    holds:
      "of two policies for one Service the older, then the first by name wins; one for a port goes before one for the Service",
    features: ["BackendTLSPolicy"],
    rules: [29],
    tests: ["BackendTLSPolicyConflictResolution"],
    resources: [
      ...plainService("backend-tls-conflict", "v1"),
      policy("backend-tls-conflict-a", "backend-tls-conflict"),
      policy("backend-tls-conflict-b", "backend-tls-conflict"),
      resource("BackendTLSPolicy", "backend-tls-conflict-c", {
        targetRefs: [{ group: "", kind: "Service", name: "backend-tls-conflict", sectionName: "https" }],
        validation: { caCertificateRefs: [ROOTS], hostname: "port.example.com" },
      }),
      httpRoute("backend-tls-conflict", [
        { matches: [path("PathPrefix", "/whole")], backendRefs: [to("backend-tls-conflict")] },
        { matches: [path("PathPrefix", "/port")], backendRefs: [to("backend-tls-conflict", { port: 8443 })] },
      ]),
    ],
    steps: [
      says("backend-tls-conflict-a", "Accepted=True/Accepted"),
      says("backend-tls-conflict-b", "Accepted=False/Conflicted"),
      says("backend-tls-conflict-c", "Accepted=True/Accepted"),
      works("whole"),
      works("port", "port.example.com"),
    ],
  },
  {
    name: "backend-tls-no-ca",
    holds:
      "roots that are not there are InvalidCACertificateRef; with no valid one the policy is not accepted, and traffic fails",
    features: ["BackendTLSPolicy"],
    rules: [29],
    tests: ["BackendTLSPolicyInvalidCACertificateRef"],
    resources: [
      ...backed("backend-tls-no-ca"),
      policy("backend-tls-no-ca", "backend-tls-no-ca", {}, [{ ...ROOTS, name: "none" }]),
      ...plainService("backend-tls-no-ca-plain", "v1"),
      policy("backend-tls-no-ca-plain", "backend-tls-no-ca-plain", {}, [{ ...ROOTS, name: "none" }]),
      httpRoute("backend-tls-no-ca-plain", [rule("backend-tls-no-ca-plain")]),
    ],
    steps: [
      says("backend-tls-no-ca", "Accepted=False/NoValidCACertificate", "ResolvedRefs=False/InvalidCACertificateRef"),
      { ask: {}, expect: { status: [500, 502, 503] } },
      { ask: { host: "backend-tls-no-ca-plain.example" }, expect: { status: [500, 502, 503] } },
    ],
  },
  {
    name: "backend-tls-kind",
    holds: "roots of an unknown kind are InvalidKind",
    features: ["BackendTLSPolicy"],
    rules: [29],
    tests: ["BackendTLSPolicyInvalidKind"],
    resources: [
      ...backed("backend-tls-kind"),
      policy("backend-tls-kind", "backend-tls-kind", {}, [{ ...ROOTS, kind: "Odd", group: "example.com" }]),
    ],
    steps: [says("backend-tls-kind", "Accepted=False/NoValidCACertificate", "ResolvedRefs=False/InvalidKind")],
  },
  {
    name: "backend-tls",
    holds: "the backend is spoken to in TLS, its certificate verified by authority and host name",
    features: ["BackendTLSPolicy"],
    rules: [29],
    tests: ["BackendTLSPolicy"],
    resources: secured("backend-tls", [
      { name: "good" },
      { name: "wrong-name", validation: { hostname: "abc.example.net" } },
      { name: "wrong-roots", validation: { caCertificateRefs: [{ ...ROOTS, name: "other-roots" }] } },
    ]),
    steps: [
      says("backend-tls-good", "Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"),
      works("good"),
      fails("wrong-name"),
      fails("wrong-roots"),
    ],
  },
  {
    name: "backend-tls-san",
    holds: "with subjectAltNames these alone authenticate, and the host name is the server name only",
    features: ["BackendTLSPolicySANValidation"],
    rules: [29],
    tests: ["BackendTLSPolicySANValidation"],
    resources: secured("backend-tls-san", [
      { name: "dns", validation: { hostname: "abc.example.net", ...names({ type: "Hostname", hostname: HOSTNAME }) } },
      { name: "uri", validation: names({ type: "URI", uri: "spiffe://abc.example.com/server" }) },
      {
        name: "several",
        validation: names({ type: "Hostname", hostname: "no.example.net" }, { type: "Hostname", hostname: HOSTNAME }),
      },
      { name: "wrong-dns", validation: names({ type: "Hostname", hostname: "no.example.net" }) },
      { name: "wrong-uri", validation: names({ type: "URI", uri: "spiffe://abc.example.com/other" }) },
    ]),
    steps: [works("dns", "abc.example.net"), works("uri"), works("several"), fails("wrong-dns"), fails("wrong-uri")],
  },
  {
    name: "backend-tls-grpc",
    holds: "calls of a GRPCRoute go in TLS",
    features: ["BackendTLSPolicy"],
    rules: [29],
    tests: ["BackendTLSPolicyGRPCRoute"],
    resources: [
      ...plainService("backend-tls-grpc", "v1"),
      policy("backend-tls-grpc", "backend-tls-grpc", { sectionName: "https" }),
      route("GRPCRoute", "backend-tls-grpc", { rules: [{ backendRefs: [{ name: "backend-tls-grpc", port: 8443 }] }] }),
    ],
    steps: [
      {
        ask: { scheme: "grpc", path: "/echo.Echo/Say" },
        expect: { grpc: 0, backend: "v1", protocol: "HTTP/2.0", serverName: HOSTNAME },
      },
    ],
  },
  {
    name: "backend-tls-tlsroute",
    holds: "connections of a TLSRoute that were ended go on in TLS",
    features: ["BackendTLSPolicy"],
    rules: [29],
    tests: ["BackendTLSPolicyTLSRouteTerminate"],
    resources: [
      ...plainService("backend-tls-tlsroute", "v1"),
      policy("backend-tls-tlsroute", "backend-tls-tlsroute", { sectionName: "https" }),
      gateway("backend-tls-tlsroute", [{ ...https("tls"), protocol: "TLS" }]),
      resource("TLSRoute", "backend-tls-tlsroute", {
        parentRefs: [{ name: "backend-tls-tlsroute" }],
        hostnames: ["backend-tls-tlsroute.example"],
        rules: [{ backendRefs: [{ name: "backend-tls-tlsroute", port: 8443 }] }],
      }),
    ],
    steps: [
      {
        ask: { via: "backend-tls-tlsroute", scheme: "tls" },
        expect: { body: /^v1 over TLS got /, backend: "v1" },
      },
    ],
  },
];

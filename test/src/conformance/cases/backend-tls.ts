// BackendTLSPolicy: statuses. Traffic needs a backend that is no instance of the mesh.

import type { Case, Manifest, Step } from "../case.ts";
import { httpRoute, NAMESPACE, resource, rule, service } from "../manifests.ts";

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
const NO_PLAIN_BACKEND =
  "every instance of a Service is behind a proxy of the mesh off Kubernetes and is spoken to in mutual TLS, so that the policy has no traffic to change";

function traffic(name: string, holds: string, features: readonly string[], test: string): Case {
  return { name, holds, features, rules: [29], tests: [test], unsupported: NO_PLAIN_BACKEND, steps: [] };
}

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
      ...backed("backend-tls-conflict"),
      policy("backend-tls-conflict-a", "backend-tls-conflict"),
      policy("backend-tls-conflict-b", "backend-tls-conflict"),
      policy("backend-tls-conflict-c", "backend-tls-conflict", { sectionName: "http" }),
    ],
    steps: [
      says("backend-tls-conflict-a", "Accepted=True/Accepted"),
      says("backend-tls-conflict-b", "Accepted=False/Conflicted"),
      says("backend-tls-conflict-c", "Accepted=True/Accepted"),
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
    ],
    steps: [
      says("backend-tls-no-ca", "Accepted=False/NoValidCACertificate", "ResolvedRefs=False/InvalidCACertificateRef"),
      { ask: {}, expect: { status: [500, 502, 503] } },
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
  traffic(
    "backend-tls",
    "the backend is spoken to in TLS, its certificate verified by host name",
    ["BackendTLSPolicy"],
    "BackendTLSPolicy",
  ),
  traffic(
    "backend-tls-san",
    "with subjectAltNames these alone authenticate",
    ["BackendTLSPolicySANValidation"],
    "BackendTLSPolicySANValidation",
  ),
  traffic("backend-tls-grpc", "calls of a GRPCRoute go in TLS", ["BackendTLSPolicy"], "BackendTLSPolicyGRPCRoute"),
  traffic(
    "backend-tls-tlsroute",
    "connections of a TLSRoute that were ended go on in TLS",
    ["BackendTLSPolicy"],
    "BackendTLSPolicyTLSRouteTerminate",
  ),
];

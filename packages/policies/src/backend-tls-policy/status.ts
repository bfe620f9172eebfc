// Status of a BackendTLSPolicy: one entry for each Gateway whose routes lead to a Service that it is attached to.

import type { Resource } from "@ripstop/resources";

import type { ReferenceFacts } from "../gateway/certificates.ts";
import { condition, CONTROLLER_NAME, GATEWAY_GROUP, type Condition } from "../gateway/condition.ts";
import type { RouteService } from "../http-route/references.ts";
import { judgeRoots, winner } from "./compile.ts";
import type { BackendTlsPolicySpec } from "./spec.ts";

/** Most entries of status.ancestors (Gateway API, PolicyStatus). */
const MAX_ANCESTORS = 16;

/** What became of the policy for the traffic of one Gateway. */
export interface PolicyAncestorStatus {
  readonly ancestorRef: {
    readonly group: string;
    readonly kind: "Gateway";
    readonly namespace: string;
    readonly name: string;
  };
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

/** What the status is judged by. */
export interface PolicyFacts extends ReferenceFacts {
  findService(namespace: string, name: string): RouteService | undefined;
  /** BackendTLSPolicies that name the Service; this one is among them. */
  policiesOf(namespace: string, name: string): readonly Resource<BackendTlsPolicySpec>[];
  /** "NAMESPACE/NAME" of the Gateways that have routes to any Service which the policy names. */
  gateways(): readonly string[];
}

/** The entries of status.ancestors; none as long as no Gateway has a route to its Services. */
export function backendTlsPolicyStatus(
  policy: Resource<BackendTlsPolicySpec>,
  facts: PolicyFacts,
): readonly PolicyAncestorStatus[] {
  const conditions = [judgeAccepted(policy, facts), judgeReferences(policy, facts)];
  return facts
    .gateways()
    .slice(0, MAX_ANCESTORS)
    .map((gateway) => {
      const [namespace = "", name = ""] = gateway.split("/");
      const ancestorRef = { group: GATEWAY_GROUP, kind: "Gateway", namespace, name } as const;
      return { ancestorRef, controllerName: CONTROLLER_NAME, conditions };
    });
}

function judgeAccepted(policy: Resource<BackendTlsPolicySpec>, facts: PolicyFacts): Condition {
  const at = condition(policy);
  const { namespace } = policy.metadata;
  let found = 0;
  let isUsed = false;
  for (const { name, sectionName = "" } of policy.spec.targetRefs) {
    const service = facts.findService(namespace, name);
    if (service === undefined) continue;
    const ports = service.ports.filter((port) => sectionName === "" || port.name === sectionName);
    if (ports.length === 0) continue;
    found++;
    const rivals = facts.policiesOf(namespace, name);
    const first = rivals
      .filter(({ spec }) => spec.targetRefs.some((ref) => ref.name === name && (ref.sectionName ?? "") === sectionName))
      .reduce<Resource | undefined>(
        (best, rival) => (best === undefined || isOlder(rival, best) ? rival : best),
        undefined,
      );
    // An older one for the same target. One that others put out of use by naming each of the ports is in no conflict.
    if (first !== undefined && first.metadata.name !== policy.metadata.name) {
      const by = `${first.metadata.namespace}/${first.metadata.name}`;
      return at("Accepted", false, "Conflicted", `for Service ${namespace}/${name} goes ${by}`);
    }
    isUsed ||= ports.some((port) => winner(rivals, name, port.name)?.metadata.name === policy.metadata.name);
  }
  if (found === 0) return at("Accepted", false, "TargetNotFound", "no Service or port that it names is there");
  const roots = judgeRoots(policy, facts);
  if (roots.isFatal)
    return at("Accepted", false, "NoValidCACertificate", roots.problem?.message ?? "it names no authority");
  const message = isUsed ? "Gateways speak TLS to the Service" : "policies that name its ports go before it";
  return at("Accepted", true, "Accepted", message);
}

function judgeReferences(policy: Resource<BackendTlsPolicySpec>, facts: PolicyFacts): Condition {
  const at = condition(policy);
  const { problem } = judgeRoots(policy, facts);
  if (problem === undefined) return at("ResolvedRefs", true, "ResolvedRefs", "every authority is there");
  return at(
    "ResolvedRefs",
    false,
    problem.cause === "kind" ? "InvalidKind" : "InvalidCACertificateRef",
    problem.message,
  );
}

function isOlder(a: Resource, b: Resource): boolean {
  const key = ({ metadata }: Resource): string =>
    `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`;
  return key(a) < key(b);
}

// BackendTLSPolicies to what a port of a Service gets, and who wins there.

import { SubjectAltName_Type, type BackendTls } from "@ripstop/model";
import { resourceName, type Resource } from "@ripstop/resources";

import { readRoots, type ReferenceFacts, type ReferenceProblem } from "../gateway/certificates.ts";
import type { BackendTlsPolicySpec } from "./spec.ts";

type Policy = Resource<BackendTlsPolicySpec>;

/** What became of the authorities that a policy names. */
export interface JudgedRoots {
  /** PEM; "" for those of the system. */
  readonly rootsPem: string;
  /** The first reference that cannot be used. */
  readonly problem: ReferenceProblem | undefined;
  /** There is nothing to check a backend with. */
  readonly isFatal: boolean;
}

/** "NAMESPACE/NAME" of every Service that the policy names, each once. */
export function policyTargets({ metadata, spec }: Policy): readonly string[] {
  const services = spec.targetRefs.filter(({ group, kind }) => group === "" && kind === "Service");
  return [...new Set(services.map(({ name }) => `${metadata.namespace}/${name}`))];
}

/**
 * The policy that holds for a port of a Service: one that names the port before one for the whole Service, then the oldest,
 * then the first by "NAMESPACE/NAME" (GEP-713). `portName` is "" for a port without a name.
 */
export function winner(policies: readonly Policy[], serviceName: string, portName: string): Policy | undefined {
  const named = policies.filter((policy) =>
    names(policy, serviceName, (section) => section === portName && section !== ""),
  );
  const whole = policies.filter((policy) => names(policy, serviceName, (section) => section === ""));
  return named.toSorted(byAge)[0] ?? whole.toSorted(byAge)[0];
}

/** What the Gateways' proxies are told of a policy. Without valid authorities it refuses; it never falls back to plain. */
export function backendTlsOf(policy: Policy, facts: ReferenceFacts): BackendTls {
  const { hostname, subjectAltNames = [] } = policy.spec.validation;
  const { rootsPem, problem, isFatal } = judgeRoots(policy, facts);
  return {
    hostname,
    rootsPem,
    subjectAltNames: subjectAltNames.map(({ type, hostname: name = "", uri = "" }) =>
      type === "URI"
        ? { type: SubjectAltName_Type.URI, value: uri }
        : { type: SubjectAltName_Type.DNS, value: name.toLowerCase() },
    ),
    invalid: isFatal ? (problem?.message ?? "there is no CA to check the backend with") : "",
    source: `BackendTLSPolicy ${resourceName(policy)}`,
  };
}

/** Reads the authorities that a policy names. */
export function judgeRoots(policy: Policy, facts: ReferenceFacts): JudgedRoots {
  const { caCertificateRefs = [], wellKnownCACertificates = "" } = policy.spec.validation;
  if (wellKnownCACertificates !== "") {
    if (wellKnownCACertificates === "System") return { rootsPem: "", problem: undefined, isFatal: false };
    const message = `well-known certificates "${wellKnownCACertificates}" are not known`;
    return { rootsPem: "", problem: { cause: "kind", message }, isFatal: true };
  }
  const roots: string[] = [];
  let problem: ReferenceProblem | undefined;
  for (const ref of caCertificateRefs) {
    const read = readRoots(ref, { kind: "BackendTLSPolicy", namespace: policy.metadata.namespace }, facts);
    if (read.ok) roots.push(read.value);
    else problem ??= read.error;
  }
  return { rootsPem: roots.join(""), problem, isFatal: roots.length === 0 };
}

function names({ spec }: Policy, serviceName: string, fits: (section: string) => boolean): boolean {
  return spec.targetRefs.some(({ name, sectionName = "" }) => name === serviceName && fits(sectionName));
}

function byAge(a: Policy, b: Policy): number {
  const key = ({ metadata }: Policy): string => `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`;
  return key(a) < key(b) ? -1 : 1;
}

// AuthorizationPolicy to its config: every way to name a caller becomes a SPIFFE id or a prefix of one.

import type { CompileFacts, PolicyScope, WorkloadFacts } from "@ripstop/policy-api/control";
import type { Resource } from "@ripstop/resources";

import { toCanonicalPath } from "../canonical-path.ts";
import { Action, AuthorizationConfig, type From, type To } from "./config.gen.ts";
import type { AuthorizationFrom, AuthorizationPolicySpec, AuthorizationTo } from "./schema.ts";

const ACTIONS: Readonly<Record<AuthorizationPolicySpec["action"], Action>> = {
  ALLOW: Action.ALLOW,
  DENY: Action.DENY,
  AUDIT: Action.AUDIT,
};

/** Whether `policy` guards `workload`: same namespace, and its Service, its labels, or neither asked for. */
export function appliesToWorkload(policy: Resource<AuthorizationPolicySpec>, workload: WorkloadFacts): boolean {
  const { namespace } = policy.metadata;
  if (namespace !== workload.namespace) return false;
  const { targetRefs, selector } = policy.spec;
  if (targetRefs !== undefined) {
    return targetRefs.some((target) => workload.services.includes(`${namespace}/${target.name}`));
  }
  if (selector !== undefined) {
    return Object.entries(selector.matchLabels).every(([name, value]) => workload.labels[name] === value);
  }
  return true;
}

/** Where the workloads of `appliesToWorkload` are. */
export function scopeOfAuthorization(policy: Resource<AuthorizationPolicySpec>): PolicyScope {
  const { namespace } = policy.metadata;
  const { targetRefs, selector } = policy.spec;
  if (targetRefs !== undefined) return { namespace, services: targetRefs.map(({ name }) => `${namespace}/${name}`) };
  return selector === undefined ? { namespace } : { namespace, labels: selector.matchLabels };
}

/** Bytes of the AuthorizationConfig of a valid policy. */
export function compileAuthorization(policy: Resource<AuthorizationPolicySpec>, facts: CompileFacts): Uint8Array {
  const { spec } = policy;
  const config: AuthorizationConfig = {
    readerVersion: 1,
    action: ACTIONS[spec.action],
    rules: spec.rules.map((rule) => ({
      from: (rule.from ?? []).map((from) => compileFrom(from, policy.metadata.namespace, facts.trustDomain)),
      to: (rule.to ?? []).map(compileTo),
    })),
  };
  return AuthorizationConfig.encode(config).finish();
}

/** Config of a valid entry of `from`. */
export function compileFrom(from: AuthorizationFrom, namespace: string, trustDomain: string): From {
  const root = `spiffe://${trustDomain}/ns/`;
  return {
    principals: [...(from.principals ?? [])],
    namespaces: (from.namespaces ?? []).map((name) => `${root}${name}/*`),
    serviceAccounts: (from.serviceAccounts ?? []).map((account) => {
      const slash = account.indexOf("/");
      if (slash < 0) return `${root}${namespace}/sa/${account}`;
      return `${root}${account.slice(0, slash)}/sa/${account.slice(slash + 1)}`;
    }),
  };
}

/** Config of a valid entry of `to`. */
export function compileTo(to: AuthorizationTo): To {
  return {
    methods: [...(to.methods ?? [])],
    paths: (to.paths ?? []).map((path) => (path === "*" ? "/*" : toCanonicalPath(path))),
    hosts: (to.hosts ?? []).map((host) => host.toLowerCase()),
    ports: [...(to.ports ?? [])],
  };
}

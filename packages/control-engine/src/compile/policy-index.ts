// Policies by what they can guard, so that a workload looks at the policies that may concern it and a policy at the
// workloads that it may concern, and neither at the whole mesh.

import type { PolicyKind, WorkloadFacts } from "@ripstop/policy-api/control";
import { resourceKey, type Resource } from "@ripstop/resources";

import { MultiMap } from "./multi-map.ts";

interface IndexedPolicy {
  readonly kindAt: number;
  readonly key: string;
  readonly policy: Resource;
}

const EVERYWHERE = "everywhere";

/** The policies of all kinds that guard workloads. */
export class PolicyIndex {
  readonly #kinds: readonly PolicyKind[];
  readonly #kindAt: ReadonlyMap<string, number>;
  readonly #byScope = new MultiMap<IndexedPolicy>();

  constructor(kinds: readonly PolicyKind[]) {
    this.#kinds = kinds;
    this.#kindAt = new Map(kinds.map(({ kind }, at) => [kind.kind, at]));
  }

  /** Adds or takes out a resource; one that is no such policy is left alone. */
  index(policy: Resource, add: boolean): void {
    const kindAt = this.#kindAt.get(policy.kind);
    if (kindAt === undefined) return;
    const key = resourceKey(policy);
    for (const scope of scopesOf(this.#kinds[kindAt], policy))
      this.#byScope.set(scope, key, add ? { kindAt, key, policy } : undefined);
  }

  /** Keys of the policies that guard a workload, in the order of kinds, then keys. */
  guarding(facts: WorkloadFacts): readonly string[] {
    const found = new Map<string, IndexedPolicy>();
    for (const scope of [
      EVERYWHERE,
      `namespace:${facts.namespace}`,
      ...facts.services.map((service) => `service:${service}`),
      ...(facts.gateways === undefined ? [] : ["*", ...facts.gateways].map((gateway) => `gateway:${gateway}`)),
      ...Object.entries(facts.labels).map(([name, value]) => labelScope(facts.namespace, name, value)),
    ]) {
      for (const indexed of this.#byScope.get(scope)) found.set(indexed.key, indexed);
    }
    return [...found.values()]
      .filter(({ kindAt, policy }) => this.#kinds[kindAt]?.appliesTo(policy, facts) === true)
      .sort((a, b) => a.kindAt - b.kindAt || (a.key < b.key ? -1 : 1))
      .map(({ key }) => key);
  }
}

/** The groups under which a policy is found; every workload that it guards is in one of them. */
function scopesOf(policyKind: PolicyKind | undefined, policy: Resource): readonly string[] {
  const scope = policyKind?.scope?.(policy);
  if (scope === undefined) return [EVERYWHERE];
  const { namespace, services, gateways, labels } = scope;
  if (gateways !== undefined) return gateways.map((gateway) => `gateway:${gateway}`);
  if (services !== undefined) return services.map((service) => `service:${service}`);
  // Whoever has all the labels has the first.
  const [first] = Object.entries(labels ?? {});
  return [first === undefined ? `namespace:${namespace}` : labelScope(namespace, ...first)];
}

function labelScope(namespace: string, name: string, value: string): string {
  return `label:${namespace}/${name}=${value}`;
}

// The policies that guard one workload, as filters in their order.

import type { Policy } from "@ripstop/model";
import type {
  AuditRecord,
  Denial,
  Disturbance,
  Filter,
  FilterFactory,
  FilterTools,
  RequestInfo,
} from "@ripstop/policy-api/proxy";

/** Filters in force. Pure: the same request gives the same verdict. */
export class PolicyChain {
  readonly #filters: readonly Filter[];
  readonly #auditors: readonly Filter[];
  readonly #counters: readonly Filter[];
  readonly #disturbers: readonly Filter[];
  /** Whether `admit` or `disturb` may say anything: without, requests need not be put before them. */
  readonly counts: boolean;

  constructor(filters: readonly Filter[]) {
    this.#filters = filters;
    this.#auditors = filters.filter((filter) => filter.audit !== undefined);
    this.#counters = filters.filter((filter) => filter.admit !== undefined);
    this.#disturbers = filters.filter((filter) => filter.disturb !== undefined);
    this.counts = this.#counters.length + this.#disturbers.length > 0;
  }

  /** The first refusal, or undefined when all let the request pass. */
  judge(request: RequestInfo): Denial | undefined {
    const filters = this.#filters;
    for (let at = 0; at < filters.length; at++) {
      const denial = filters[at]?.onRequest(request);
      if (denial !== undefined) return denial;
    }
    return undefined;
  }

  /** Counts a request that `judge` let pass; once a request. The first refusal, or undefined. */
  admit(request: RequestInfo): Denial | undefined {
    const counters = this.#counters;
    for (let at = 0; at < counters.length; at++) {
      const denial = counters[at]?.admit?.(request);
      if (denial !== undefined) return denial;
    }
    return undefined;
  }

  /** What is done on purpose to a request that was admitted. */
  disturb(request: RequestInfo): Disturbance | undefined {
    const disturbers = this.#disturbers;
    for (let at = 0; at < disturbers.length; at++) {
      const disturbance = disturbers[at]?.disturb?.(request);
      if (disturbance !== undefined) return disturbance;
    }
    return undefined;
  }

  /** The first policy that wants this request, which passed, on record. */
  audit(request: RequestInfo): AuditRecord | undefined {
    const auditors = this.#auditors;
    for (let at = 0; at < auditors.length; at++) {
      const record = auditors[at]?.audit?.(request);
      if (record !== undefined) return record;
    }
    return undefined;
  }
}

/**
 * Makes the chain of `policies` (in the workload's order).
 * Throws when a policy cannot be read or its kind is not known: the workload then keeps its last good chain.
 */
export function compilePolicyChain(
  policies: readonly Policy[],
  factories: readonly FilterFactory[],
  tools: FilterTools,
): PolicyChain {
  const byKind = new Map<string, Policy[]>();
  for (const policy of policies) {
    const group = byKind.get(policy.kind);
    if (group === undefined) byKind.set(policy.kind, [policy]);
    else group.push(policy);
  }
  const made: { readonly order: number; readonly filter: Filter }[] = [];
  for (const [kind, group] of byKind) {
    const factory = factories.find((candidate) => candidate.kind === kind);
    if (factory === undefined) throw new Error(`this version does not know policies of kind "${kind}"`);
    const configs = group.map((policy) => ({ name: policyName(policy.name), config: policy.config }));
    made.push({ order: factory.order, filter: factory.create(configs, tools) });
  }
  made.sort((a, b) => a.order - b.order);
  return new PolicyChain(made.map((entry) => entry.filter));
}

/** "NAMESPACE/NAME" of a resource name "KIND/NAMESPACE/NAME". */
function policyName(resourceName: string): string {
  return resourceName.slice(resourceName.indexOf("/") + 1);
}

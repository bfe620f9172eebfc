// What a hosted workload is and what guards it, kept up to date from the config stream. Swaps are atomic: requests see
// the old workload with the old policies, or the new with the new. Until the first complete set is there, nothing passes.

import type { ConfigClient, Subscription } from "@ripstop/discovery/client";
import { policyType, workloadType, type InboundPort, type Policy, type Workload } from "@ripstop/model";
import type { FilterFactory, FilterState, FilterTools, LimitDemand, LimitShare } from "@ripstop/policy-api/proxy";
import { compilePolicyChain, type PolicyChain } from "../5-filter/policy-chain.ts";

/** What hears about changes. */
export interface WorkloadViewEvents {
  /** This workload config is in force now, maybe with other policies. May be called before the constructor returns. */
  onWorkloadChanged(workload: Workload): void;
}

/** What filters may use; the view adds what they keep. */
export type ViewTools = Omit<FilterTools, "keep">;

interface PolicySlot {
  readonly subscription: { current: Subscription | undefined };
  policy: Policy | undefined;
}

/** What a view is made of. */
export interface WorkloadViewParts {
  readonly factories: readonly FilterFactory[];
  readonly tools: ViewTools;
  readonly events: WorkloadViewEvents;
}

/** One hosted workload as the control plane describes it. */
export class WorkloadView {
  readonly id: string;
  /** The policies in force; undefined until all have arrived: refuse everything. */
  chain: PolicyChain | undefined;
  /** The config in force; undefined until it has arrived. */
  workload: Workload | undefined;
  #ports = new Map<number, InboundPort>();
  readonly #config: ConfigClient;
  readonly #factories: readonly FilterFactory[];
  readonly #tools: ViewTools;
  /** What the filters in force keep, by name. */
  #states = new Map<string, FilterState>();
  readonly #events: WorkloadViewEvents;
  readonly #policies = new Map<string, PolicySlot>();
  readonly #subscription: Subscription;
  #received: Workload | undefined;

  constructor(id: string, config: ConfigClient, parts: WorkloadViewParts) {
    this.id = id;
    this.#config = config;
    this.#factories = parts.factories;
    this.#tools = parts.tools;
    this.#events = parts.events;
    this.#subscription = config.watch(workloadType, id, {
      onResource: (workload) => this.#onWorkload(workload),
      // The control plane forgot the workload (its lease ran out while it was away): the last good config stays.
      onRemoved: () => undefined,
    });
  }

  /** The declared port, or undefined. */
  port(port: number): InboundPort | undefined {
    return this.#ports.get(port);
  }

  /** The workload and all of its policies are in force. */
  get ready(): boolean {
    return this.workload !== undefined && this.chain !== undefined;
  }

  /** What is still missing, in plain words; "" when nothing is. */
  get missing(): string {
    if (this.#received === undefined) return `the config of workload ${this.id} has not arrived`;
    const names: string[] = [];
    for (const [name, slot] of this.#policies) if (slot.policy === undefined) names.push(name);
    if (names.length > 0) return `waiting for ${names.join(", ")}`;
    return this.chain === undefined ? "its policies could not be read" : "";
  }

  /** What was asked for of limits that are shared, since the last call. */
  takeDemands(): readonly LimitDemand[] {
    const demands: LimitDemand[] = [];
    for (const state of this.#states.values())
      if (state.takeDemands !== undefined) demands.push(...state.takeDemands());
    return demands;
  }

  /** Hands on what the control plane lets this workload's proxy have of limits that are shared. */
  takeShares(shares: readonly LimitShare[]): void {
    for (const state of this.#states.values()) state.takeShares?.(shares);
  }

  close(): void {
    this.#subscription.cancel();
    for (const slot of this.#policies.values()) slot.subscription.current?.cancel();
    this.#policies.clear();
  }

  #onWorkload(workload: Workload): void {
    this.#received = workload;
    const wanted = new Set(workload.policies.map((reference) => reference.name));
    for (const [name, slot] of this.#policies) {
      if (wanted.has(name)) continue;
      slot.subscription.current?.cancel();
      this.#policies.delete(name);
    }
    for (const name of wanted) if (!this.#policies.has(name)) this.#subscribe(name);
    this.#swap();
  }

  #subscribe(name: string): void {
    const slot: PolicySlot = { subscription: { current: undefined }, policy: undefined };
    this.#policies.set(name, slot);
    slot.subscription.current = this.#config.watch(policyType, name, {
      onResource: (policy) => {
        const before = slot.policy;
        slot.policy = policy;
        try {
          this.#swap();
        } catch (error) {
          // Refused: the last good one stays, for this policy as for the chain.
          slot.policy = before;
          throw error;
        }
      },
      // The workload's own update says when a policy no longer guards it; until then the last good one does.
      onRemoved: () => undefined,
    });
  }

  /** Puts what was received in force when it is complete; throws when a policy cannot be read. */
  #swap(): void {
    const workload = this.#received;
    if (workload === undefined) return;
    const policies: Policy[] = [];
    for (const reference of workload.policies) {
      const policy = this.#policies.get(reference.name)?.policy;
      if (policy === undefined) return;
      policies.push(policy);
    }
    const states = new Map<string, FilterState>();
    const { clock, metrics, workers, random } = this.#tools;
    const chain = compilePolicyChain(policies, this.#factories, {
      clock,
      metrics,
      workers,
      random,
      keep: <T extends FilterState>(name: string, make: () => T): T => {
        const state = states.get(name) ?? this.#states.get(name) ?? make();
        states.set(name, state);
        // The name says what kind of state it is: it is made and asked for by one filter alone.
        return state as T;
      },
    });
    this.#states = states;
    this.chain = chain;
    this.workload = workload;
    this.#ports = new Map(workload.ports.map((port) => [port.port, port]));
    this.#events.onWorkloadChanged(workload);
  }
}

// The join listeners of a mesh with several control planes: those that the user named, and those that were heard of
// since. Whichever answers will do.

import type { Result } from "@ripstop/core";
import type { NodeWorkloadRequest, RegisterRequest, RegisterResponse } from "@ripstop/model";

import type { ApiFailure, CallerIdentity } from "../control-api.ts";
import { Failover } from "../failover.ts";
import { JoinApi, type JoinApiOptions } from "./join-api.ts";
import { parseJoinAddress, type JoinAddress } from "./join-address.ts";

/** As for one, and where the others are. */
export interface ReplicatedJoinApiOptions extends JoinApiOptions {
  readonly others: readonly JoinAddress[];
}

/** Addresses that are tried at most. */
const MAX_ADDRESSES = 16;

/** JoinApi over several listeners. */
export class ReplicatedJoinApi extends JoinApi {
  readonly #options: ReplicatedJoinApiOptions;
  readonly #failover: Failover<JoinApi>;
  /** The user's own, by "HOST:PORT". */
  readonly #named: ReadonlyMap<string, JoinApi>;
  /** Those that were heard of beyond them. */
  #learned = new Map<string, JoinApi>();
  #identity: CallerIdentity | undefined;
  #bundlePem: string | undefined;

  constructor(options: ReplicatedJoinApiOptions) {
    super(options);
    this.#options = options;
    const addresses = [options.address, ...options.others].slice(0, MAX_ADDRESSES);
    this.#named = new Map(addresses.map((address) => [textOf(address), this.#open(address)]));
    this.#failover = new Failover(() => [...this.#named.values(), ...this.#learned.values()]);
  }

  /** The join listeners of all control planes are these now ("HOST:PORT"); what the user named is tried as well. */
  setReplicas(joins: readonly string[]): void {
    const learned = new Map<string, JoinApi>();
    for (const text of joins.slice(0, MAX_ADDRESSES)) {
      const address = parseJoinAddress(text);
      if (address === undefined || this.#named.has(textOf(address))) continue;
      learned.set(textOf(address), this.#learned.get(textOf(address)) ?? this.#open(address));
    }
    this.#learned = learned;
  }

  override trustDomain(): Promise<Result<string, ApiFailure>> {
    return this.#failover.ask((api) => api.trustDomain());
  }

  override useIdentity(identity: CallerIdentity): void {
    this.#identity = identity;
    this.#bundlePem = identity.bundlePem;
    for (const api of this.#all()) api.useIdentity(identity);
  }

  override useBundle(bundlePem: string): void {
    this.#bundlePem = bundlePem;
    for (const api of this.#all()) api.useBundle(bundlePem);
  }

  override register(registration: RegisterRequest): Promise<Result<RegisterResponse, ApiFailure>> {
    return this.#failover.ask((api) => api.register(registration));
  }

  override report(...args: Parameters<JoinApi["report"]>): ReturnType<JoinApi["report"]> {
    return this.#failover.ask((api) => api.report(...args));
  }

  override registerForNode(name: string, body: NodeWorkloadRequest): Promise<Result<RegisterResponse, ApiFailure>> {
    return this.#failover.ask((api) => api.registerForNode(name, body));
  }

  override call<Answer>(
    method: string,
    path: string,
    body?: unknown,
    timeoutMs?: number,
  ): Promise<Result<Answer, ApiFailure>> {
    return this.#failover.ask((api) => api.call<Answer>(method, path, body, timeoutMs));
  }

  #all(): readonly JoinApi[] {
    return [...this.#named.values(), ...this.#learned.values()];
  }

  #open(address: JoinAddress): JoinApi {
    const { trust, clock, evidence } = this.#options;
    const pem = this.#bundlePem;
    const api = new JoinApi({ address, trust: pem === undefined ? trust : { pem }, clock, evidence });
    if (this.#identity !== undefined)
      api.useIdentity({ ...this.#identity, bundlePem: pem ?? this.#identity.bundlePem });
    return api;
  }
}

function textOf({ host, port }: JoinAddress): string {
  return `${host} ${port}`;
}

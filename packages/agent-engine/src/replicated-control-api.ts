// The API of a mesh with several control planes: those that the user named, and those that were heard of since. Whichever
// answers will do: the one that answered last is asked first, and when it is gone or cut off the next one is.

import type { Result } from "@ripstop/core";
import type { RegisterRequest, RegisterResponse } from "@ripstop/model";

import { ControlApi, type ApiFailure, type CallerIdentity } from "./control-api.ts";
import { Failover } from "./failover.ts";
import { parseJoinAddress, type JoinAddress } from "./join/join-address.ts";

/** Addresses that are tried at most, beyond those that the user named. */
const MAX_LEARNED = 16;

/** ControlApi over several. */
export abstract class ReplicatedControlApi<Api extends ControlApi> extends ControlApi {
  readonly #failover: Failover<Api>;
  /** The user's own, by what `keyOf` says of their address. */
  readonly #named: ReadonlyMap<string, Api>;
  /** Those that were heard of beyond them. */
  #learned = new Map<string, Api>();
  #identity: CallerIdentity | undefined;
  #bundlePem: string | undefined;

  protected constructor(named: ReadonlyMap<string, Api>, socketPath: string = "") {
    super(socketPath);
    this.#named = named;
    this.#failover = new Failover(() => this.#all());
  }

  /** The API of another one, to be trusted by these roots (PEM) when there are any yet. */
  protected abstract openOther(address: JoinAddress, bundlePem: string | undefined): Api;

  /** The answer of whichever answers. */
  protected ask<T>(question: (api: Api) => Promise<Result<T, ApiFailure>>): Promise<Result<T, ApiFailure>> {
    return this.#failover.ask(question);
  }

  /** The join listeners of all control planes are these now ("HOST:PORT"); what the user named is tried as well. */
  setReplicas(joins: readonly string[]): void {
    const learned = new Map<string, Api>();
    for (const text of joins.slice(0, MAX_LEARNED)) {
      const address = parseJoinAddress(text);
      if (address === undefined) continue;
      const key = keyOf(address);
      if (!this.#named.has(key)) learned.set(key, this.#learned.get(key) ?? this.#learn(address));
    }
    this.#learned = learned;
  }

  override trustDomain(): Promise<Result<string, ApiFailure>> {
    return this.ask((api) => api.trustDomain());
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

  override register(body: RegisterRequest): Promise<Result<RegisterResponse, ApiFailure>> {
    return this.ask((api) => api.register(body));
  }

  override report(...args: Parameters<ControlApi["report"]>): ReturnType<ControlApi["report"]> {
    return this.ask((api) => api.report(...args));
  }

  override call<Answer>(
    method: string,
    path: string,
    body?: unknown,
    timeoutMs?: number,
    signal?: AbortSignal,
  ): Promise<Result<Answer, ApiFailure>> {
    return this.ask((api) => api.call<Answer>(method, path, body, timeoutMs, signal));
  }

  #all(): readonly Api[] {
    return [...this.#named.values(), ...this.#learned.values()];
  }

  #learn(address: JoinAddress): Api {
    const api = this.openOther(address, this.#bundlePem);
    if (this.#identity !== undefined)
      api.useIdentity({ ...this.#identity, bundlePem: this.#bundlePem ?? this.#identity.bundlePem });
    return api;
  }
}

/** What tells addresses apart. */
export function keyOf({ host, port }: JoinAddress): string {
  return `${host} ${port}`;
}

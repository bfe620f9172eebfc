// The API of a mesh with several control planes: the one that answered last is asked first, and when it is gone or cut off
// the next one is, by the workload's own SVID over its join listener.

import type { Clock, Result } from "@ripstop/core";
import type { RegisterRequest, RegisterResponse } from "@ripstop/model";

import { ControlApi, type ApiFailure, type CallerIdentity } from "./control-api.ts";
import { Failover } from "./failover.ts";
import { JoinApi } from "./join/join-api.ts";
import { parseJoinAddress } from "./join/join-address.ts";

/** How to reach the first one. */
export interface ReplicatedApiOptions {
  /** What the user named: the socket of the home, or a join address. Alone until others are known. */
  readonly first: ControlApi;
  readonly clock: Clock;
  /** Makes the API of another one at its join address; default: JoinApi by the SVID alone. */
  peer?(address: string): ControlApi | undefined;
}

const MAX_PEERS = 16;

/** ControlApi over whichever control plane answers. */
export class ReplicatedApi extends ControlApi {
  readonly #options: ReplicatedApiOptions;
  /** By join address. */
  #peers = new Map<string, ControlApi>();
  readonly #failover: Failover<ControlApi>;
  #identity: CallerIdentity | undefined;
  #bundlePem: string | undefined;

  constructor(options: ReplicatedApiOptions) {
    super(options.first.socketPath);
    this.#options = options;
    this.#failover = new Failover(() => this.#all());
  }

  /** The join listeners of all control planes are these now ("HOST:PORT"). */
  setReplicas(joins: readonly string[]): void {
    const peers = new Map<string, ControlApi>();
    for (const address of joins.slice(0, MAX_PEERS)) {
      const peer = this.#peers.get(address) ?? this.#createPeer(address);
      if (peer !== undefined) peers.set(address, peer);
    }
    this.#peers = peers;
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

  override register(body: RegisterRequest): Promise<Result<RegisterResponse, ApiFailure>> {
    return this.#failover.ask((api) => api.register(body));
  }

  override report(...args: Parameters<ControlApi["report"]>): ReturnType<ControlApi["report"]> {
    return this.#failover.ask((api) => api.report(...args));
  }

  override call<Answer>(
    method: string,
    path: string,
    body?: unknown,
    timeoutMs?: number,
    signal?: AbortSignal,
  ): Promise<Result<Answer, ApiFailure>> {
    return this.#failover.ask((api) => api.call<Answer>(method, path, body, timeoutMs, signal));
  }

  #all(): readonly ControlApi[] {
    return [this.#options.first, ...this.#peers.values()];
  }

  #createPeer(address: string): ControlApi | undefined {
    if (this.#options.peer !== undefined) return this.#options.peer(address);
    const parsed = parseJoinAddress(address);
    if (parsed === undefined) return undefined;
    const trust = { pem: this.#bundlePem ?? "" };
    const api = new JoinApi({ address: parsed, trust, clock: this.#options.clock, evidence: undefined });
    if (this.#identity !== undefined) api.useIdentity({ ...this.#identity, bundlePem: trust.pem });
    return api;
  }
}

// The join listeners of a mesh with several control planes, for who joins by them and for agents.

import type { Result } from "@ripstop/core";
import type {
  JoinEvidence,
  NodeEntries,
  NodeSvidResponse,
  NodeWorkloadRequest,
  RegisterResponse,
} from "@ripstop/model";

import type { ApiFailure } from "../control-api.ts";
import { keyOf, ReplicatedControlApi } from "../replicated-control-api.ts";
import { JoinApi, type JoinApiOptions } from "./join-api.ts";
import type { JoinAddress } from "./join-address.ts";

/** As for one, and where the others are. */
export interface ReplicatedJoinApiOptions extends JoinApiOptions {
  readonly others: readonly JoinAddress[];
}

/** Addresses that the user may name. */
const MAX_NAMED = 16;

/** JoinApi over several listeners. */
export class ReplicatedJoinApi extends ReplicatedControlApi<JoinApi> {
  readonly #options: JoinApiOptions;

  constructor({ others, ...options }: ReplicatedJoinApiOptions) {
    const addresses = [options.address, ...others].slice(0, MAX_NAMED);
    super(new Map(addresses.map((address) => [keyOf(address), new JoinApi({ ...options, address })])));
    this.#options = options;
  }

  /** As of JoinApi. */
  joinNode(evidence: JoinEvidence, name: string, csrPem: string): Promise<Result<NodeSvidResponse, ApiFailure>> {
    return this.ask((api) => api.joinNode(evidence, name, csrPem));
  }

  /** As of JoinApi. */
  renewNode(name: string, csrPem: string): Promise<Result<NodeSvidResponse, ApiFailure>> {
    return this.ask((api) => api.renewNode(name, csrPem));
  }

  /** As of JoinApi. */
  nodeEntries(name: string): Promise<Result<NodeEntries, ApiFailure>> {
    return this.ask((api) => api.nodeEntries(name));
  }

  /** As of JoinApi. */
  issueForNode(...args: Parameters<JoinApi["issueForNode"]>): ReturnType<JoinApi["issueForNode"]> {
    return this.ask((api) => api.issueForNode(...args));
  }

  /** As of JoinApi. */
  jwtForNode(...args: Parameters<JoinApi["jwtForNode"]>): ReturnType<JoinApi["jwtForNode"]> {
    return this.ask((api) => api.jwtForNode(...args));
  }

  /** As of JoinApi. */
  registerForNode(name: string, body: NodeWorkloadRequest): Promise<Result<RegisterResponse, ApiFailure>> {
    return this.ask((api) => api.registerForNode(name, body));
  }

  protected override openOther(address: JoinAddress, bundlePem: string | undefined): JoinApi {
    const { trust } = this.#options;
    return new JoinApi({ ...this.#options, address, trust: bundlePem === undefined ? trust : { pem: bundlePem } });
  }
}

// What a supervisor asks: the control plane that the user named, and the others by the workload's own SVID over their
// join listeners.

import type { Clock } from "@ripstop/core";

import type { ControlApi } from "./control-api.ts";
import { JoinApi } from "./join/join-api.ts";
import type { JoinAddress } from "./join/join-address.ts";
import { ReplicatedControlApi } from "./replicated-control-api.ts";

/** How to reach the first one. */
export interface ReplicatedApiOptions {
  /** What the user named: the socket of the home, or join addresses. Alone until others are known. */
  readonly first: ControlApi;
  readonly clock: Clock;
  /** Makes the API of another one; default: JoinApi by the SVID alone. */
  peer?(address: JoinAddress): ControlApi;
}

/** ControlApi over whichever control plane answers. */
export class ReplicatedApi extends ReplicatedControlApi<ControlApi> {
  readonly #options: ReplicatedApiOptions;

  constructor(options: ReplicatedApiOptions) {
    super(new Map([["", options.first]]), options.first.socketPath);
    this.#options = options;
  }

  protected override openOther(address: JoinAddress, bundlePem: string = ""): ControlApi {
    const { clock } = this.#options;
    const api = this.#options.peer?.(address);
    return api ?? new JoinApi({ address, trust: { pem: bundlePem }, clock, evidence: undefined });
  }
}

// Where the control planes are, as proxies are told on their telemetry stream: at once, so that one that joined when
// there was a single one knows where to go before that one dies.

import type { ReplicaAddresses, telemetry } from "@ripstop/model";

/** What is needed. */
export interface ControlPlaneListOptions {
  /** Where all are now. */
  addresses(): ReplicaAddresses;
  /** The shared store does not answer: who is there is not known, and what was said holds. */
  isCutOff(): boolean;
  /** The list is another one: proxies are to be told. */
  onChange(): void;
}

/** The list as it was last known; nothing before the first look. */
export class ControlPlaneList {
  readonly #options: ControlPlaneListOptions;
  #current: telemetry.ControlPlanes | undefined;

  constructor(options: ControlPlaneListOptions) {
    this.#options = options;
  }

  /** The part of a command to a proxy. */
  get command(): Pick<telemetry.ProxyCommand, "controlPlanes"> {
    return this.#current === undefined ? {} : { controlPlanes: this.#current };
  }

  /** Looks whether the list is another one. */
  look(): void {
    if (this.#options.isCutOff()) return;
    const { streams, joins } = this.#options.addresses();
    if (this.#current !== undefined && same(this.#current.streams, streams) && same(this.#current.joins, joins)) return;
    this.#current = { streams: [...streams], joins: [...joins] };
    this.#options.onChange();
  }
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((address) => b.includes(address));
}

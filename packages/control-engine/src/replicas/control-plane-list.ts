// Where the control planes are, as proxies are told on their telemetry stream: at once, so that one that joined when
// there was a single one knows where to go before that one dies.

import type { ReplicaAddresses, telemetry } from "@ripstop/model";

/** The list as it was last known; nothing before the first time. */
export class ControlPlaneList {
  readonly #onChange: () => void;
  #current: telemetry.ControlPlanes | undefined;

  /** `onChange`: the list is another one, proxies are to be told. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** The part of a command to a proxy. */
  get command(): Pick<telemetry.ProxyCommand, "controlPlanes"> {
    return this.#current === undefined ? {} : { controlPlanes: this.#current };
  }

  /** Where all are now. While the shared store does not answer (`cutOffMs` above 0), what was known holds. */
  look({ streams, joins }: ReplicaAddresses, cutOffMs: number): void {
    if (cutOffMs > 0) return;
    if (this.#current !== undefined && same(this.#current.streams, streams) && same(this.#current.joins, joins)) return;
    this.#current = { streams: [...streams], joins: [...joins] };
    this.#onChange();
  }
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((address) => b.includes(address));
}

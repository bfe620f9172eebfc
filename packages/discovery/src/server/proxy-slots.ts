// Which processes of a proxy have streams here: each worker has its own, under the proxy's id and its slot.

import { parseWorkerStreamId, workerStreamId } from "@ripstop/model";

/** Slots by proxy, counted by streams. */
export class ProxySlots {
  readonly #streams = new Map<string, Map<number, number>>();

  /** The ids under which the processes of a proxy may have streams. */
  streamIds(proxyId: string): readonly string[] {
    const slots = this.#streams.get(proxyId);
    return slots === undefined ? [proxyId] : [...slots.keys()].map((slot) => workerStreamId(proxyId, slot));
  }

  /** A stream opened, and took no other one's place. */
  opened(streamId: string): void {
    const { proxyId, slot } = parseWorkerStreamId(streamId);
    const slots = this.#streams.get(proxyId) ?? new Map<number, number>();
    this.#streams.set(proxyId, slots);
    slots.set(slot, (slots.get(slot) ?? 0) + 1);
  }

  /** A stream ended, and no other one took its place. */
  closed(streamId: string): void {
    const { proxyId, slot } = parseWorkerStreamId(streamId);
    const slots = this.#streams.get(proxyId);
    const left = (slots?.get(slot) ?? 0) - 1;
    if (left > 0) slots?.set(slot, left);
    else slots?.delete(slot);
    if (slots?.size === 0) this.#streams.delete(proxyId);
  }
}

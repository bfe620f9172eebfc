// Ring hash (Karger and others, 1997) with bounded load (Mirrokni, Thorup and Zadimoghaddam, 2018): equal keys go to the
// same endpoint, a change of the set moves only its share of the keys, and an endpoint that is too busy passes on to the next.

import type { EndpointState } from "./endpoint-state.ts";
import { hash32 } from "./hash32.ts";
import type { Picker } from "./picker.ts";

/**
 * Points of the heaviest endpoint, by the number of endpoints: enough for shares within a few percent. They depend on nothing
 * that changes often: other points move keys.
 */
function pointsEach(endpoints: number): number {
  if (endpoints <= 64) return 512;
  return endpoints <= 512 ? 128 : 32;
}

/** Consistent hashing on a ring. Only configured weights count: a ring that follows each breath would move keys. */
export class RingHashPicker implements Picker {
  readonly wantsHash = true;
  readonly #maxLoad: number;
  #list: readonly EndpointState[] | undefined = undefined;
  #points = new Uint32Array(0);
  #owners = new Uint32Array(0);
  #total = 0;

  /** `maxLoad`: requests under way that an endpoint may have, over its fair share (> 1); Infinity = no bound. */
  constructor(maxLoad: number = Infinity) {
    this.#maxLoad = maxLoad;
  }

  pick<E extends EndpointState>(usable: readonly E[], _nowMs: number, hash: number): E | undefined {
    if (usable.length <= 1) return usable[0];
    if (this.#list !== usable) this.#build(usable);
    const start = this.#find(hash);
    const first = usable[this.#owners[start] ?? 0];
    // Nobody is above its bound with nothing to do.
    if (first === undefined || first.inflight === 0 || this.#maxLoad === Infinity) return first;
    let inflight = 1;
    for (const endpoint of usable) inflight += endpoint.inflight;
    const each = (this.#maxLoad * inflight) / this.#total;
    const count = this.#points.length;
    for (let step = 0; step < count; step++) {
      const endpoint = usable[this.#owners[(start + step) % count] ?? 0];
      if (endpoint !== undefined && endpoint.inflight < Math.ceil(each * endpoint.weight)) return endpoint;
    }
    return first;
  }

  /** Position of the first point at or after `hash`, round the ring. */
  #find(hash: number): number {
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((points[middle] ?? 0) < hash) low = middle + 1;
      else high = middle;
    }
    return low === points.length ? 0 : low;
  }

  #build(list: readonly EndpointState[]): void {
    this.#list = list;
    let total = 0;
    for (const { weight } of list) total += weight;
    this.#total = total;
    const heaviest = Math.max(...list.map(({ weight }) => weight));
    const most = pointsEach(list.length);
    const entries: { readonly point: number; readonly owner: number }[] = [];
    for (const [owner, { id, weight }] of list.entries()) {
      const count = Math.max(1, Math.round((most * weight) / heaviest));
      const seed = hash32(id);
      for (let at = 0; at < count; at++) entries.push({ point: hash32(`${id}#${at}`, seed), owner });
    }
    // Of two points in one place the endpoint's id decides, so that every proxy has the same ring.
    const idOf = (owner: number): string => list[owner]?.id ?? "";
    entries.sort((a, b) => a.point - b.point || (idOf(a.owner) < idOf(b.owner) ? -1 : 1));
    this.#points = Uint32Array.from(entries, ({ point }) => point);
    this.#owners = Uint32Array.from(entries, ({ owner }) => owner);
  }
}

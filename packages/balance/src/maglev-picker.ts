// Maglev (Eisenbud and others, NSDI 2016): consistent hashing by a table, one look a request. Shares are more even than those
// of a ring; a change of the set moves a few keys more.

import type { EndpointState } from "./endpoint-state.ts";
import { hash32 } from "./hash32.ts";
import type { Picker } from "./picker.ts";

/** Primes: the smallest that has a hundred places for each endpoint is taken. */
const TABLE_SIZES = [1021, 4093, 16_381, 65_537] as const;
const PLACES_EACH = 100;
const FREE = 0xffff_ffff;

/** Consistent hashing by lookup table. Only configured weights count. */
export class MaglevPicker implements Picker {
  readonly wantsHash = true;
  #list: readonly EndpointState[] | undefined = undefined;
  #table = new Uint32Array(0);

  pick<E extends EndpointState>(usable: readonly E[], _nowMs: number, hash: number): E | undefined {
    if (usable.length <= 1) return usable[0];
    if (this.#list !== usable) this.#build(usable);
    return usable[this.#table[hash % this.#table.length] ?? 0];
  }

  #build(list: readonly EndpointState[]): void {
    this.#list = list;
    const size = TABLE_SIZES.find((candidate) => candidate >= list.length * PLACES_EACH) ?? 65_537;
    const table = new Uint32Array(size).fill(FREE);
    // In the order of ids, so that the table depends on the set and not on the order in which it came.
    const order = list.map((_, at) => at).sort((a, b) => ((list[a]?.id ?? "") < (list[b]?.id ?? "") ? -1 : 1));
    const heaviest = Math.max(...list.map(({ weight }) => weight));
    const turns = order.map((at) => {
      const { id = "", weight = 0 } = list[at] ?? {};
      return {
        at,
        next: hash32(id, 1) % size,
        skip: (hash32(id, 2) % (size - 1)) + 1,
        earns: weight / heaviest,
        has: 0,
      };
    });
    let filled = 0;
    while (filled < size) {
      for (const turn of turns) {
        // A lighter endpoint sits out some of the rounds.
        turn.has += turn.earns;
        if (turn.has < 1) continue;
        turn.has--;
        while (table[turn.next] !== FREE) turn.next = (turn.next + turn.skip) % size;
        table[turn.next] = turn.at;
        if (++filled === size) break;
      }
    }
    this.#table = table;
  }
}

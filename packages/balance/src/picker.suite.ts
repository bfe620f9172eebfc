// What every picker must do; run by each of them.

import assert from "node:assert/strict";
import { it } from "node:test";
import { EndpointState } from "./endpoint-state.ts";
import type { Picker, RandomSource } from "./picker.ts";

/** The same numbers on every run. */
export function seededRandom(seed: number): RandomSource {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** Endpoints "0", "1", … with the given weights. */
export function endpoints(...weights: readonly number[]): EndpointState[] {
  return weights.map((weight, at) => new EndpointState(String(at), weight, true));
}

/** Shares of `draws` picks, with no request ever under way. */
export function shares(picker: Picker, set: readonly EndpointState[], draws: number): number[] {
  const counts = set.map(() => 0);
  for (let draw = 0; draw < draws; draw++) {
    const chosen = picker.pick(set, draw);
    const at = chosen === undefined ? -1 : set.indexOf(chosen);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts.map((count) => count / draws);
}

/** Runs the common tests. */
export function pickerSuite(make: (random: RandomSource) => Picker): void {
  it("picks nothing from nothing, and the only one from one", () => {
    const picker = make(seededRandom(1));
    assert.equal(picker.pick([], 0), undefined);
    const [only] = endpoints(5);
    assert.ok(only);
    assert.equal(picker.pick([only], 0), only);
  });

  it("spreads evenly over equal endpoints", () => {
    for (const share of shares(make(seededRandom(2)), endpoints(1, 1, 1, 1), 4000))
      assert.ok(Math.abs(share - 0.25) < 0.03, String(share));
  });

  it("gives more to more weight", () => {
    const [small = 0, large = 0] = shares(make(seededRandom(3)), endpoints(1, 4), 2000);
    assert.ok(large > small);
  });

  it("is pure in its random source", () => {
    assert.deepEqual(
      shares(make(seededRandom(4)), endpoints(1, 2, 3), 100),
      shares(make(seededRandom(4)), endpoints(1, 2, 3), 100),
    );
  });
}

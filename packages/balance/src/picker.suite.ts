// What every picker must do; run by each of them.

import assert from "node:assert/strict";
import { it } from "node:test";
import { EndpointState } from "./endpoint-state.ts";
import { mix32 } from "./hash32.ts";
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
    const chosen = picker.pick(set, draw, mix32(draw));
    const at = chosen === undefined ? -1 : set.indexOf(chosen);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts.map((count) => count / draws);
}

/** Runs the common tests. */
export function pickerSuite(make: (random: RandomSource) => Picker): void {
  it("picks nothing from nothing, and the only one from one", () => {
    const picker = make(seededRandom(1));
    assert.equal(picker.pick([], 0, 7), undefined);
    const [only] = endpoints(5);
    assert.ok(only);
    assert.equal(picker.pick([only], 0, 7), only);
  });

  it("spreads evenly over equal endpoints", () => {
    for (const share of shares(make(seededRandom(2)), endpoints(1, 1, 1, 1), 4000))
      assert.ok(Math.abs(share - 0.25) < 0.05, String(share));
  });

  it("gives more to more weight", () => {
    const set = endpoints(10, 30, 60);
    const [small = 0, middle = 0, large = 0] = shares(make(seededRandom(3)), set, 20_000);
    for (const [got, wanted] of [
      [small, 0.1],
      [middle, 0.3],
      [large, 0.6],
    ] as const)
      assert.ok(Math.abs(got - wanted) < 0.05, `${got} in place of ${wanted}`);
  });

  it("is pure in its random source", () => {
    assert.deepEqual(
      shares(make(seededRandom(4)), endpoints(1, 2, 3), 100),
      shares(make(seededRandom(4)), endpoints(1, 2, 3), 100),
    );
  });
}

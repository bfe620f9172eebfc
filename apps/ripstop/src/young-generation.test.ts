import { Script } from "node:vm";
import { getHeapSpaceStatistics } from "node:v8";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { holdYoungGeneration, sizesYoungGeneration, underStartOptions } from "./young-generation.ts";

/** Another text of the same length each time: V8 does not look at `cachedData` for a text that it has compiled already. */
function source(number: number): string {
  return `(() => 'compiled ${number}')`;
}

function rejects(cachedData: Buffer, number: number): boolean | undefined {
  return new Script(source(number), { cachedData }).cachedDataRejected;
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space")?.space_size ?? 0;
}

/** Makes so many MB that outlive scavenges: the young generation wants to grow. */
function outlive(megabytes: number): void {
  const lists: number[][] = [];
  for (let i = 0; i < megabytes * 10_000; i++) lists.push([i, i, i, i, i, i, i, i]);
  assert.equal(lists.length, megabytes * 10_000);
}

describe("the young generation of a proxy", () => {
  it("grows no more once it is held, and code is still kept for the options of the start", () => {
    const before = new Script(source(0)).createCachedData();
    outlive(2);
    holdYoungGeneration();
    const held = youngBytes();
    outlive(60);
    // The second half may have been without memory before.
    assert.ok(youngBytes() <= 2 * held, `${youngBytes()} bytes after ${held}`);
    assert.equal(rejects(before, 1), true);
    assert.equal(
      underStartOptions(() => rejects(before, 2)),
      false,
    );
    assert.equal(
      underStartOptions(() => rejects(new Script(source(3)).createCachedData(), 4)),
      false,
    );
    outlive(60);
    assert.ok(youngBytes() <= 2 * held, `${youngBytes()} bytes after ${held}`);
  });

  it("is the operator's where the command line gives it a size", () => {
    assert.ok(sizesYoungGeneration(["--max-semi-space-size=16"]));
    assert.ok(sizesYoungGeneration(["--cpu-prof", "--min_semi_space_size=4"]));
    assert.ok(!sizesYoungGeneration(["--max-old-space-size=400"]));
  });
});

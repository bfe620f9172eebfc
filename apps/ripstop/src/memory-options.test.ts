import { Script } from "node:vm";
import { getHeapSpaceStatistics } from "node:v8";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { holdMemory, memoryOptions, underStartOptions } from "./memory-options.ts";

/** Another text of the same length each time: V8 does not look at `cachedData` for a text that it has compiled already. */
function source(number: number): string {
  return `(() => 'compiled ${number}')`;
}

function rejects(cachedData: Buffer, number: number): boolean | undefined {
  return new Script(source(number), { cachedData }).cachedDataRejected;
}

/** Whether V8 has Maglev on by default: on Node 20 it is off, and Node 22 came to be built without. */
function hasMaglev(): boolean {
  const { v8_enable_maglev: isBuilt } = process.config.variables as { readonly v8_enable_maglev?: 0 | 1 };
  return isBuilt === 1 && Number.parseInt(process.versions.node) >= 22;
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

function atStart(execArgv: readonly string[], node: number): readonly string[] {
  return memoryOptions(execArgv, node).map((option) => option.atStart);
}

describe("the options for a proxy's memory", () => {
  it("turn Maglev off at run time, and code is still kept for the options of the start", () => {
    const before = new Script(source(0)).createCachedData();
    holdMemory(["--max-semi-space-size=2"]);
    assert.equal(rejects(before, 1), hasMaglev());
    assert.equal(
      underStartOptions(() => rejects(before, 2)),
      false,
    );
  });

  it("let the young generation grow no more, and code is still kept for the options of the start", () => {
    const before = underStartOptions(() => new Script(source(3)).createCachedData());
    outlive(2);
    holdMemory([]);
    const held = youngBytes();
    outlive(60);
    // The second half may have been without memory before.
    assert.ok(youngBytes() <= 2 * held, `${youngBytes()} bytes after ${held}`);
    assert.equal(rejects(before, 4), true);
    assert.equal(
      underStartOptions(() => rejects(before, 5)),
      false,
    );
    assert.equal(
      underStartOptions(() => rejects(new Script(source(6)).createCachedData(), 7)),
      false,
    );
    outlive(60);
    assert.ok(youngBytes() <= 2 * held, `${youngBytes()} bytes after ${held}`);
  });

  it("are those that the line of Node needs and the operator has not chosen", () => {
    assert.deepEqual(atStart([], 20), ["--max-semi-space-size=2"]);
    assert.deepEqual(atStart(["--max-old-space-size=400"], 24), ["--max-semi-space-size=2", "--no-maglev"]);
    assert.deepEqual(atStart(["--max-semi-space-size=16"], 24), ["--no-maglev"]);
    assert.deepEqual(atStart(["--cpu-prof", "--min_semi_space_size=4"], 20), []);
    assert.deepEqual(atStart(["--no-maglev"], 24), ["--max-semi-space-size=2"]);
    assert.deepEqual(atStart(["--maglev"], 26), ["--max-semi-space-size=2"]);
  });
});

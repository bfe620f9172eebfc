// The options are set in processes of their own: they hold for a whole process, and what it has done before counts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { memoryOptions } from "./memory-options.ts";

const MODULE = new URL("./memory-options.js", import.meta.url).href;

/** Times the size: between what comes and goes with pages in use (up to 1.7, Node 26) and growth (4 to 16). */
const GROWN = 3;

/** What the programs below have in common. */
const COMMON = `
  import { Script } from "node:vm";
  import { getHeapSpaceStatistics } from "node:v8";
  import { holdMemory, underStartOptions } from ${JSON.stringify(MODULE)};

  // Another text of the same length each time: V8 does not look at cachedData for a text that it has compiled already.
  let number = 100;
  const compiled = () => new Script("(() => 'compiled " + number++ + "')");
  const rejects = (cachedData) => new Script("(() => 'compiled " + number++ + "')", { cachedData }).cachedDataRejected;

  const youngBytes = () => getHeapSpaceStatistics().find((space) => space.space_name === "new_space").space_size;

  // Makes so many MB that outlive scavenges: the young generation wants to grow.
  const outlive = (megabytes) => {
    const lists = [];
    for (let i = 0; i < megabytes * 10_000; i++) lists.push([i, i, i, i, i, i, i, i]);
  };
`;

/** What `program` tells by \`tell(value)\`, run as a process of its own. */
function run<T>(program: string): T {
  const code = `${COMMON}\nconst tell = (value) => console.log(JSON.stringify(value));\n${program}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, "", "V8 knows the options");
  return JSON.parse(stdout) as T;
}

/** Whether V8 has Maglev on by default: on Node 20 it is off, and Node 22 came to be built without. */
function hasMaglev(): boolean {
  const { v8_enable_maglev: isBuilt } = process.config.variables as { readonly v8_enable_maglev?: 0 | 1 };
  return isBuilt === 1 && Number.parseInt(process.versions.node) >= 22;
}

function atStart(execArgv: readonly string[], node: number): readonly string[] {
  return memoryOptions(execArgv, node).map((option) => option.atStart);
}

describe("the options for a proxy's memory", () => {
  it("turn Maglev off at run time, and code is still kept for the options of the start", () => {
    const told = run<{ readonly held: boolean; readonly asAtStart: boolean }>(`
      const before = compiled().createCachedData();
      holdMemory(["--max-semi-space-size=2"]);
      tell({ held: rejects(before), asAtStart: underStartOptions(() => rejects(before)) });
    `);
    assert.deepEqual(told, { held: hasMaglev(), asAtStart: false });
  });

  it("let the young generation grow no more, and code is still kept for the options of the start", () => {
    const told = run<{ readonly rejected: readonly boolean[]; readonly grown: readonly number[] }>(`
      const before = compiled().createCachedData();
      outlive(2);
      holdMemory([]);
      const held = youngBytes();
      outlive(60);
      const grown = [youngBytes() / held];
      const rejected = [
        rejects(before),
        underStartOptions(() => rejects(before)),
        underStartOptions(() => rejects(compiled().createCachedData())),
      ];
      outlive(60);
      grown.push(youngBytes() / held);
      tell({ rejected, grown });
    `);
    assert.deepEqual(told.rejected, [true, false, false]);
    for (const times of told.grown) assert.ok(times < GROWN, `${times} times what it was`);
  });

  it("are needed: without them the young generation grows", () => {
    const times = run<number>("outlive(2); const before = youngBytes(); outlive(60); tell(youngBytes() / before);");
    assert.ok(times > GROWN, `${times} times what it was`);
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

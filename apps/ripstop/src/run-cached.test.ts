import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoppedClock } from "@ripstop/testkit";
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { runCached } from "./run-cached.ts";

const SOURCE = `
  function greet(name) { return "Hello, " + name; }
  exports.said = greet("proxy");
  exports.later = () => require("./part.cjs").said;
`;

describe("a file that runs with V8's code cache", () => {
  let folder = "";
  let file = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ripstop-cached-"));
    file = join(folder, "program.cjs");
    writeFileSync(file, SOURCE);
    writeFileSync(join(folder, "part.cjs"), `exports.said = require("./program.cjs").said + "!";`);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const caches = (): readonly string[] => readdirSync(folder).filter((name) => name.startsWith("code-cache-"));

  it("leaves its compiled code for the next start, and is what its parts require", () => {
    const clock = new StoppedClock();
    assert.equal(runCached(file, clock).fromCache, false);
    const program = createRequire(file)(file) as { readonly said: string; later(): string };
    assert.equal(program.said, "Hello, proxy");
    assert.equal(program.later(), "Hello, proxy!");
    assert.deepEqual(caches(), []);
    clock.advance(10_000);
    assert.equal(caches().length, 1);
    assert.equal(runCached(file, clock).fromCache, true);
    assert.equal((createRequire(file)(file) as { readonly said: string }).said, "Hello, proxy");
  });

  it("is compiled anew after a change, though it has the same length", () => {
    const clock = new StoppedClock();
    runCached(file, clock);
    clock.advance(10_000);
    writeFileSync(file, SOURCE.replace("Hello", "Adieu"));
    assert.equal(runCached(file, clock).fromCache, false);
    assert.equal((createRequire(file)(file) as { readonly said: string }).said, "Adieu, proxy");
    clock.advance(10_000);
    assert.equal(runCached(file, clock).fromCache, true);
    assert.equal(caches().length, 1);
  });

  it("is written once more when the program has done work", () => {
    const clock = new StoppedClock();
    const ends = `\nlet warm = false;\nexports.isWarm = () => warm;\nexports.work = () => { warm = true; };`;
    writeFileSync(file, `${SOURCE}${ends}`);
    const load = (): { work(): void } => createRequire(file)(file) as { work(): void };
    runCached(file, clock);
    clock.advance(10_000);
    const [name = ""] = caches();
    const cold = readFileSync(join(folder, name));
    // Whoever starts from it writes it again, when there is more to keep.
    assert.equal(runCached(file, clock).fromCache, true);
    clock.advance(10_000);
    assert.deepEqual(readFileSync(join(folder, name)), cold);
    load().work();
    clock.advance(10_000);
    const warm = readFileSync(join(folder, name));
    assert.ok(warm.length > cold.length, `${warm.length} bytes after ${cold.length}`);
    assert.equal(runCached(file, clock).fromCache, true);
    load().work();
    clock.advance(60_000);
    assert.deepEqual(readFileSync(join(folder, name)), warm);
  });

  it("does not hide what the file throws", () => {
    writeFileSync(file, "throw new Error('no state directory')");
    assert.throws(() => runCached(file, new StoppedClock()), /no state directory/);
  });
});

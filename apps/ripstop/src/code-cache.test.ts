import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { codeCacheName, readCodeCache, writeCodeCache } from "./code-cache.ts";

const SOURCE = "(() => 'compiled before')";
const BYTES = Buffer.from(SOURCE);

describe("the code cache", () => {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-code-"));
  const path = join(folder, "code-cache");
  after(() => rmSync(folder, { recursive: true }));
  const write = (warm = false): void =>
    writeCodeCache(path, BYTES, { data: new Script(SOURCE).createCachedData(), warm });

  it("gives V8 what an earlier process compiled", () => {
    write();
    const cached = readCodeCache(path, BYTES);
    assert.ok(cached !== undefined);
    const script = new Script(SOURCE, { cachedData: cached.data });
    assert.equal(script.cachedDataRejected, false);
    assert.equal((script.runInThisContext() as () => string)(), "compiled before");
  });

  it("says whether the process that wrote it had done work", () => {
    for (const warm of [true, false]) {
      write(warm);
      assert.equal(readCodeCache(path, BYTES)?.warm, warm);
    }
  });

  it("is not taken for another source of the same length", () => {
    write();
    assert.equal(readCodeCache(path, Buffer.from(SOURCE.replace("before", "by-and"))), undefined);
  });

  it("is not taken when a byte of it changed, or when it was cut", () => {
    write();
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 7) {
      const changed = Buffer.from(whole);
      changed[at] = changed[at]! ^ 1;
      writeFileSync(path, changed);
      assert.equal(readCodeCache(path, BYTES), undefined, `byte ${at}`);
    }
    for (const length of [0, 10, 32, 40, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, length));
      assert.equal(readCodeCache(path, BYTES), undefined, `${length} bytes`);
    }
  });

  it("is another file for other options of Node", () => {
    const names = [[], ["--no-maglev"], ["--no-maglev", "--cpu-prof"], ["--no-maglev"]].map(codeCacheName);
    assert.equal(new Set(names).size, 3);
    for (const name of names) assert.match(name, /^code-cache-[0-9a-f]{16}$/);
  });

  it("is done without where the disk refuses it", () => {
    writeCodeCache(join(folder, "missing/code-cache"), BYTES, { data: Buffer.from("data"), warm: true });
    assert.equal(readCodeCache(join(folder, "missing/code-cache"), BYTES), undefined);
  });
});

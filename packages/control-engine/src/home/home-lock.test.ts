// The lock of a mesh home.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { isProcessAlive, lockHome } from "./home-lock.ts";

describe("lockHome", () => {
  let parent: string;
  let home: string;

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "ripstop-home-"));
    home = join(parent, "home");
  });
  afterEach(() => rm(parent, { recursive: true }));

  it("makes a home that is its owner's alone, and leaves nothing behind", async () => {
    const lock = lockHome(home);
    assert.ok(lock.ok);
    assert.equal((await stat(home)).mode & 0o777, 0o700);
    assert.deepEqual(await readdir(home), ["control.lock"]);
    lock.value.release();
    assert.deepEqual(await readdir(home), []);
  });

  it("is held by one at a time", () => {
    const first = lockHome(home);
    assert.ok(first.ok);
    const second = lockHome(home);
    assert.ok(!second.ok);
    assert.equal(second.error.kind.code, "RS3020");
    first.value.release();
    assert.ok(lockHome(home).ok);
  });

  it("takes over from a process that is dead, or whose id another process has now", async () => {
    const dead = spawnSync(process.execPath, ["--version"]).pid;
    assert.equal(isProcessAlive(dead), false);
    for (const holder of [{ pid: dead, startTime: "" }, { pid: process.pid, startTime: "1" }, "rubbish"]) {
      assert.ok(lockHome(home).ok);
      await writeFile(join(home, "control.lock"), JSON.stringify(holder));
      const taken = lockHome(home);
      assert.ok(taken.ok, JSON.stringify(holder));
      taken.value.release();
    }
  });
});

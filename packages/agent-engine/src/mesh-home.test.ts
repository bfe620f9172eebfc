import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { createStateDirectory, isAlive, meshHome, supervisorPidFile, sweepStateDirectories } from "./mesh-home.ts";

describe("the mesh home", () => {
  let path = "";
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "ripstop-test-"));
  });
  afterEach(() => rmSync(path, { recursive: true }));

  it("is the option, else RIPSTOP_HOME, else ~/.ripstop", () => {
    assert.equal(meshHome("/a", { RIPSTOP_HOME: "/b" }).path, "/a");
    assert.equal(meshHome(undefined, { RIPSTOP_HOME: "/b" }).path, "/b");
    assert.match(meshHome(undefined, {}).path, /\.ripstop$/);
  });

  it("is swept of the state of supervisors that are dead, and of no other", () => {
    const home = meshHome(path, {});
    const [dead, living, unmarked] = ["shop/dead-1", "shop/living-1", "shop/unmarked-1"].map((id) =>
      createStateDirectory(home, id),
    );
    assert.ok(dead?.ok && living?.ok && unmarked?.ok);
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    assert.equal(isAlive(gone), false);
    writeFileSync(join(dead.value, supervisorPidFile), `${gone}\n`);
    writeFileSync(join(living.value, supervisorPidFile), `${process.pid}\n`);
    assert.equal(sweepStateDirectories(home), 1);
    assert.deepEqual(
      [dead, living, unmarked].map((one) => existsSync(one.value)),
      [false, true, true],
    );
  });

  it("is refused when a socket in it would have too long a path", () => {
    const made = createStateDirectory(meshHome(join(path, "x".repeat(120)), {}), "shop/web-1");
    assert.ok(!made.ok);
    assert.match(made.error.message, /socket path has at most/);
  });

  it("is refused with the reason when it cannot be made", () => {
    writeFileSync(join(path, "file"), "");
    const made = createStateDirectory(meshHome(join(path, "file"), {}), "shop/web-1");
    assert.ok(!made.ok);
    assert.equal(made.error.kind.code, "RS4007");
  });
});

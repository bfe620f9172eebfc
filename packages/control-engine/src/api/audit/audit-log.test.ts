// The audit log keeps what it was given, bounded, and says when it cannot.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import type { AuditEntry } from "@ripstop/model";

import { AuditLog } from "./audit-log.ts";

const entry = (number: number, decision: AuditEntry["decision"] = "done"): AuditEntry => ({
  timeMs: number,
  caller: "jo",
  by: "token",
  from: "127.0.0.1",
  action: `POST /v1/${"x".repeat(600)}`,
  decision,
  status: 200,
  code: "",
  message: "",
  revision: number,
  resources: Array.from({ length: 200 }, (_, at) => `Service a/${at}`),
});

describe("the audit log", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "ripstop-audit-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("puts full files aside, keeps so many, and gives the newest entries of all of them first", async () => {
    const log = new AuditLog({ directory, maxBytes: 10_000, maxFiles: 3 });
    for (let at = 1; at <= 30; at++) log.add(entry(at));
    log.add(entry(99, "refused"));
    const kept = await log.list(false, 100);
    const numbers = kept.map(({ revision }) => revision);
    assert.equal(numbers[0], 30);
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => b - a),
    );
    assert.ok(numbers.length > 5 && numbers.length < 30);
    assert.equal((await log.list(true, 100)).length, 1);
    assert.equal(kept[0]?.resources.length, 100);
    for (const name of readdirSync(directory)) {
      const { size, mode } = statSync(join(directory, name));
      assert.ok(size <= 10_000);
      assert.equal(mode & 0o777, 0o600);
    }
    assert.equal(
      (await new AuditLog({ directory, maxBytes: 10_000, maxFiles: 3 }).list(false, 100)).length,
      numbers.length,
    );
  });

  it("says that nothing may be written while it cannot record, and goes on when it can", () => {
    const blocked = join(directory, "blocked");
    writeFileSync(blocked, "a file where the folder has to be");
    const log = new AuditLog({ directory: blocked });
    log.add(entry(1));
    assert.equal(log.check()?.kind.code, "RS3034");
    rmSync(blocked);
    assert.equal(log.check(), undefined);
  });
});

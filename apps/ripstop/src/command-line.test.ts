// The program as a user meets it: real processes, their output and exit codes.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createProgram } from "./command-line.ts";

const main = fileURLToPath(new URL("main.js", import.meta.url));

describe("the command line", () => {
  let home = "";
  before(() => {
    home = mkdtempSync(join(tmpdir(), "ripstop-test-"));
  });
  after(() => rmSync(home, { recursive: true }));

  function ripstop(...args: string[]): { readonly code: number | null; readonly out: string; readonly err: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
      encoding: "utf8",
      env: { ...process.env, RIPSTOP_HOME: home },
    });
    return { code: status, out: stdout, err: stderr };
  }

  it("has help with a description for every command, and examples for those with options of their own", () => {
    for (const command of createProgram().commands) {
      assert.notEqual(command.description(), "", command.name());
      assert.ok(command.helpInformation().includes("Usage: "), command.name());
    }
    const help = ripstop("run", "--help");
    assert.equal(help.code, 0);
    assert.match(help.out, /Examples:[^]*HTTP_PROXY[^]*Exit codes:/);
  });

  it("says what was probably meant", () => {
    const answer = ripstop("aply");
    assert.equal(answer.code, 2);
    assert.match(answer.err, /Did you mean apply\?/);
  });

  it("ends with 2 for wrong usage, with a sentence", () => {
    const answer = ripstop("run", "--service", "web", "--port", "0", "--", "true");
    assert.equal(answer.code, 2);
    assert.match(answer.err, /1 to 65535/);
  });

  it("ends with 4 and what to do when no control plane answers", () => {
    for (const args of [
      ["status"],
      ["get", "services"],
      ["tap"],
      ["delete", "service", "a"],
      ["describe", "service", "a"],
    ]) {
      const answer = ripstop(...args);
      assert.equal(answer.code, 4, args.join(" "));
      assert.match(answer.err, /RS4001.*control\.sock[^]*ripstop up/);
    }
  });

  it("ends with 1 and the path when a file to apply is missing", () => {
    const answer = ripstop("apply", join(home, "nothing.yaml"));
    assert.equal(answer.code, 1);
    assert.match(answer.err, /RS4101.*nothing\.yaml does not exist/);
  });

  it("prints versions without a control plane", () => {
    const answer = ripstop("version", "-o", "json");
    assert.equal(answer.code, 0);
    assert.deepEqual(JSON.parse(answer.out), { version: "0.1.0", node: process.version, control: null });
  });

  it("refuses to run a proxy without its state directory", () => {
    const answer = ripstop("proxy", "--state-dir", join(home, "nothing"));
    assert.equal(answer.code, 2);
    assert.match(answer.err, /RS4103.*bootstrap\.json/);
  });
});

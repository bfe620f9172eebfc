// Stalls are bounded, touch nobody else, and everybody goes on afterwards.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { SeededRandom, StoppedClock } from "@ripstop/testkit";
import { markedProcesses, type MarkedProcess } from "./process-table.ts";
import { Staller, type StallerOptions } from "./staller.ts";

const PIDS = [11, 12, 13];

/** A staller of three processes that are nothing but their signals. */
function stall(more: Partial<StallerOptions> = {}) {
  const clock = new StoppedClock();
  const stopped = new Set<number>();
  const sent: string[] = [];
  const lengths: number[] = [];
  const staller = new Staller({
    clock,
    random: new SeededRandom(1),
    shortestMs: 300,
    longestMs: 3_000,
    pauseMs: 1_000,
    together: 0,
    processes: () => PIDS.map((pid): MarkedProcess => ({ pid, command: "node", isStopped: stopped.has(pid) })),
    signal: (pid, signal) => {
      sent.push(`${signal} ${pid}`);
      if (signal === "SIGSTOP") stopped.add(pid);
      else stopped.delete(pid);
      return true;
    },
    onStall: (_, stallMs) => lengths.push(stallMs),
    ...more,
  });
  return { clock, staller, stopped, sent, lengths };
}

describe("the staller", () => {
  it("stops one process at a time, each for a time within its bounds, and never the same all the time", () => {
    const { clock, staller, stopped, sent, lengths } = stall();
    staller.start();
    for (let step = 0; step < 10_000; step++) {
      clock.advance(50);
      assert.ok(stopped.size <= 1);
    }
    staller.end();
    assert.ok(staller.stalls > 100, `${staller.stalls} stalls`);
    assert.equal(staller.stalls, lengths.length);
    assert.ok(lengths.every((ms) => ms >= 300 && ms <= 3_000));
    for (const pid of PIDS) assert.ok(sent.includes(`SIGSTOP ${pid}`));
    assert.ok(sent.every((one) => /^SIG(STOP|CONT) 1[123]$/.test(one)));
  });

  it("stops all of them at once when it is told so", () => {
    const { clock, staller, stopped } = stall({ together: 1, shortestMs: 3_000 });
    staller.start();
    clock.advance(1_000);
    assert.deepEqual([...stopped], PIDS);
    staller.end();
  });

  it("lets whatever it stopped go on when it ends, and stops nothing afterwards", () => {
    const { clock, staller, stopped } = stall({ shortestMs: 3_000 });
    staller.start();
    clock.advance(1_000);
    assert.equal(stopped.size, 1);
    staller.end();
    assert.equal(stopped.size, 0);
    clock.advance(60_000);
    assert.equal(stopped.size, 0);
  });

  it("leaves a process alone that somebody else has stopped", () => {
    const { clock, staller, stopped, sent } = stall({ together: 1 });
    stopped.add(12);
    staller.start();
    clock.advance(60_000);
    staller.end();
    assert.ok(stopped.has(12));
    assert.ok(sent.includes("SIGSTOP 11") && !sent.some((one) => one.endsWith(" 12")));
  });

  it("waits while there is nobody", () => {
    const { clock, staller } = stall({ processes: () => [] });
    staller.start();
    clock.advance(60_000);
    assert.equal(staller.stalls, 0);
    assert.equal(clock.pending, 1);
    staller.end();
    assert.equal(clock.pending, 0);
  });
});

describe(
  "the processes with a mark",
  { skip: process.platform === "linux" ? false : "read from /proc (Linux)" },
  () => {
    it("are a command and what it starts, with their state, and nobody else", async () => {
      const mark = `RIPSTOP_STALLS_TEST=${process.pid}`;
      const script = `
        const child = require("node:child_process").spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["inherit", "ignore", "ignore"] });
        child.on("spawn", () => console.log(child.pid));
        child.on("exit", () => process.exit());`;
      const parent = spawn(process.execPath, ["-e", script], {
        stdio: ["pipe", "pipe", "inherit"],
        env: { ...process.env, RIPSTOP_STALLS_TEST: String(process.pid) },
      });
      const ended = once(parent, "exit");
      const [line] = (await once(parent.stdout.setEncoding("utf8"), "data")) as [string];
      const child = Number(line);
      const pids = (): readonly number[] => markedProcesses(mark).map(({ pid }) => pid);
      assert.deepEqual(new Set(pids()), new Set([parent.pid, child]));
      assert.deepEqual(markedProcesses(`${mark}0`), []);

      const stateOf = (pid: number) => markedProcesses(mark).find((one) => one.pid === pid);
      assert.match(stateOf(child)?.command ?? "", /process\.stdin\.resume/);
      // Again and again: this test may run under stalls itself, which end with a SIGCONT.
      do process.kill(child, "SIGSTOP");
      while (stateOf(child)?.isStopped !== true);
      process.kill(child, "SIGCONT");
      parent.stdin.end();
      await ended;
      assert.deepEqual(pids(), []);
    });
  },
);

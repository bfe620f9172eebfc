// The queue of the compiler: fair between namespaces, bounded in each turn, and within each namespace's budget.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { CompileQueue, type CompileTask } from "./compile-queue.ts";

describe("CompileQueue", () => {
  let clock: StoppedClock;
  let done: string[];
  let complete: number;
  let told: string[];
  /** Milliseconds that a key takes; 1 when it is not named. */
  let costs: Map<string, number>;
  let queue: CompileQueue;

  beforeEach(() => {
    clock = new StoppedClock();
    done = [];
    complete = 0;
    told = [];
    costs = new Map();
    let workedMs = 0;
    queue = new CompileQueue(
      {
        // The stopped clock with the time that the work itself takes.
        clock: {
          nowMs: () => clock.nowMs() + workedMs,
          monotonicMs: () => clock.monotonicMs() + workedMs,
          after: (delayMs, run) => clock.after(delayMs, run),
          every: (periodMs, run) => clock.every(periodMs, run),
        },
        sliceMs: 10,
        budgetMs: 100,
        windowMs: 1_000,
        onOverBudget: (namespace) => void told.push(namespace),
      },
      (key) => {
        done.push(key);
        workedMs += costs.get(key) ?? 1;
      },
      (revision) => {
        complete = revision;
      },
    );
  });

  function tasks(namespace: string, count: number, change: Partial<CompileTask> = {}): CompileTask[] {
    return Array.from({ length: count }, (_, at) => ({
      key: `${namespace}${at}`,
      namespace,
      revision: 1,
      urgent: false,
      ...change,
    }));
  }

  it("does a small change at once", () => {
    queue.add(tasks("a", 3), 1);
    assert.deepEqual(done, ["a0", "a1", "a2"]);
    assert.equal(complete, 1);
  });

  it("does a large change in slices, and says that its revision is complete after the last", () => {
    queue.add(tasks("a", 25), 1);
    assert.equal(done.length, 10);
    assert.equal(complete, 0);
    clock.advance(0);
    assert.equal(done.length, 25);
    assert.equal(complete, 1);
    assert.equal(clock.pending, 0);
  });

  it("does what is urgent before what waits", () => {
    queue.add(tasks("a", 25), 1);
    done.length = 0;
    queue.add([{ key: "endpoints", namespace: "b", revision: 0, urgent: true }], 0);
    assert.equal(done[0], "endpoints");
  });

  it("takes the namespaces in turn", () => {
    queue.add([...tasks("a", 100), ...tasks("b", 5)], 1);
    clock.advance(0);
    assert.ok(done.includes("b4"), `${done.length} tasks were done without b`);
  });

  it("lets a namespace over its budget wait for the next window while the others go on", () => {
    for (let at = 0; at < 25; at++) costs.set(`bad${at}`, 50);
    queue.add(tasks("bad", 25), 1);
    clock.advance(0);
    queue.add(tasks("good", 3, { revision: 2 }), 2);
    clock.advance(100);
    assert.deepEqual(
      done.filter((key) => key.startsWith("bad")),
      ["bad0", "bad1"],
    );
    assert.ok(done.includes("good2"));
    assert.deepEqual(told, ["bad"]);
    assert.equal(complete, 2, "the revision of the others is in force");
    clock.advance(20_000);
    assert.equal(done.length, 28, "what waited is done in the end");
    assert.equal(queue.size, 0);
  });

  it("does a key once however often it was asked for meanwhile", () => {
    for (let at = 0; at < 5; at++) costs.set(`bad${at}`, 200);
    queue.add(tasks("bad", 2), 1);
    for (let revision = 2; revision < 50; revision++) queue.add(tasks("bad", 2, { revision }), revision);
    assert.ok(queue.size <= 2);
  });
});

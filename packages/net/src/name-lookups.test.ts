// Name resolution: what runs at once, what waits, what fails.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NameLookups, type LookupDone } from "./name-lookups.ts";

function setUp(): { lookups: NameLookups; running: Map<string, LookupDone>; answer(host: string): void } {
  const running = new Map<string, LookupDone>();
  const lookups = new NameLookups((host, done) => running.set(host, done));
  return {
    lookups,
    running,
    answer: (host) => {
      const done = running.get(host);
      running.delete(host);
      done?.(null, [{ address: "127.0.0.1", family: 4 }]);
    },
  };
}

describe("name lookups", () => {
  it("resolve a name once for all who want it at the same time", () => {
    const { lookups, running, answer } = setUp();
    let told = 0;
    for (let at = 0; at < 5; at++) lookups.start("a", (_error, found) => (told += found.length));
    assert.equal(running.size, 1);
    answer("a");
    assert.equal(told, 5);
    lookups.start("a", () => undefined);
    assert.equal(running.size, 1);
  });

  it("run two at a time, so that silent name servers do not take every thread", () => {
    const { lookups, running, answer } = setUp();
    for (const host of ["a", "b", "c", "d"]) lookups.start(host, () => undefined);
    assert.deepEqual([...running.keys()], ["a", "b"]);
    answer("b");
    assert.deepEqual([...running.keys()], ["a", "c"]);
  });

  it("forget who gave up, and the names that nobody wants any more", () => {
    const { lookups, running, answer } = setUp();
    const told: string[] = [];
    lookups.start("a", () => told.push("a"));
    lookups.start("b", () => told.push("b"));
    const cancel = lookups.start("c", () => told.push("c"));
    const leave = lookups.start("a", () => told.push("never"));
    leave();
    cancel();
    answer("a");
    answer("b");
    assert.deepEqual(told, ["a", "b"]);
    assert.equal(running.size, 0);
    assert.equal(lookups.queued, 0);
  });

  it("fail at once when too many names wait", async () => {
    const { lookups } = setUp();
    for (let at = 0; at < 1_026; at++) lookups.start(`host-${at}`, () => undefined);
    assert.equal(lookups.queued, 1_024);
    const error = await new Promise<Error | null>((resolve) => lookups.start("one-more", resolve));
    assert.match(String(error), /too many names/);
  });
});

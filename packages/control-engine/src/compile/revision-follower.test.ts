// Revisions taken over in slices.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Resource } from "@ripstop/resources";
import { StoppedClock } from "@ripstop/testkit";

import type { Revision } from "../store/store.ts";
import { RevisionFollower } from "./revision-follower.ts";

function revision(number: number, count: number): Revision {
  const resource = (at: number): Resource => {
    const metadata = { namespace: "", labels: {}, annotations: {}, uid: "", generation: 1, creationTimestamp: "" };
    return {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { ...metadata, name: `${number}-${at}`, resourceVersion: String(number) },
      spec: {},
    };
  };
  const changes = Array.from({ length: count }, (_, at) => {
    return { type: "put" as const, resource: resource(at), before: undefined };
  });
  return { number, author: "", reason: "", timeMs: 0, changes };
}

class Follower {
  readonly clock: StoppedClock = new StoppedClock();
  readonly done: string[] = [];
  readonly taken: (readonly [number, number])[] = [];
  readonly follower: RevisionFollower;

  constructor(clock: StoppedClock | undefined) {
    const taker = {
      onChange: (change: Revision["changes"][number], affected: Set<string>) => {
        if (change.type !== "put") return;
        affected.add(change.resource.metadata.name);
        this.done.push(change.resource.metadata.name);
        this.clock.advance(1);
      },
      settle: (affected: Set<string>) => void affected.add("settled"),
    };
    this.follower = new RevisionFollower(taker, clock === undefined ? undefined : this.clock, (affected, number) =>
      this.taken.push([number, affected.size]),
    );
  }
}

describe("RevisionFollower", () => {
  it("takes a small revision over at once", () => {
    const { follower, clock, taken } = new Follower(new StoppedClock());
    follower.add(revision(1, 3));
    assert.deepEqual(taken, [[1, 4]]);
    assert.equal(clock.pending, 0);
  });

  it("lets the event loop turn every 5 ms of a large one, and tells of it when all is taken over", () => {
    const { follower, clock, taken, done } = new Follower(new StoppedClock());
    follower.add(revision(1, 12));
    assert.equal(done.length, 5);
    assert.deepEqual(taken, []);
    assert.equal(clock.pending, 1);
    // One that comes meanwhile waits for its turn.
    follower.add(revision(2, 1));
    assert.equal(done.length, 5);
    while (clock.pending > 0) clock.advance(0);
    assert.equal(done.length, 13);
    assert.equal(done.at(-1), "2-0");
    assert.deepEqual(taken, [
      [1, 13],
      [2, 2],
    ]);
  });

  it("takes everything over at once without a clock", () => {
    const { follower, taken } = new Follower(undefined);
    follower.add(revision(1, 100));
    assert.deepEqual(taken, [[1, 101]]);
  });

  it("drops what waits when it is closed", () => {
    const { follower, clock, taken } = new Follower(new StoppedClock());
    follower.add(revision(1, 12));
    follower.close();
    assert.equal(clock.pending, 0);
    assert.deepEqual(taken, []);
  });
});

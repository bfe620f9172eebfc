// A large change is worked on in slices, and is still made wholly or not at all, on what there is when it is made.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import type { Timer } from "@ripstop/core";
import { KindRegistry } from "@ripstop/resources";
import { StoppedClock } from "@ripstop/testkit";

import { allKinds } from "../all-kinds.ts";
import { badRequest } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Change } from "../store/store.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { owner } from "./access/api-caller.ts";
import { commitResources, type CommitTarget } from "./commit-resources.ts";

const COUNT = 50;
const kinds = new KindRegistry(allKinds);

/** Every look at it is a slice later; what waits for a turn of the event loop has it at once, and is counted. */
class HurriedClock extends StoppedClock {
  turns = 0;
  #readings = 0;

  override monotonicMs(): number {
    return ++this.#readings * 1_000;
  }

  override after(_delayMs: number, run: () => void): Timer {
    this.turns++;
    queueMicrotask(run);
    return { clear: () => undefined };
  }
}

function documents(count: number, last = ""): readonly { readonly file: string; readonly text: string }[] {
  const texts = Array.from(
    { length: count },
    (_, at) => `{apiVersion: v1, kind: ConfigMap, metadata: {name: c${at}, namespace: shop}, data: {a: b}}`,
  );
  return [{ file: "test.yaml", text: [...texts, ...(last === "" ? [] : [last])].join("\n---\n") }];
}

let clock: HurriedClock;
let store: MemoryStore;

beforeEach(() => {
  clock = new HurriedClock();
  store = new MemoryStore({ clock: new StoppedClock() });
});

function commit(target: Partial<CommitTarget>, last = ""): ReturnType<typeof commitResources> {
  const wish = { documents: documents(COUNT, last), author: "", reason: "", dryRun: false, caller: owner };
  return commitResources(wish, { store, kinds, clock, ...target });
}

describe("a large apply", () => {
  it("lets the event loop turn while it is validated, planned and checked", async () => {
    const ledger = {
      *check(changes: readonly Change[]): Generator<undefined, Failure | undefined> {
        for (let at = 0; at < changes.length; at++) yield;
        return undefined;
      },
    };
    const planned = await commit({});
    assert.ok(planned.ok);
    const validatedAndPlanned = clock.turns;
    assert.ok(validatedAndPlanned >= 2 * COUNT, String(validatedAndPlanned));
    store = new MemoryStore({ clock: new StoppedClock() });
    clock.turns = 0;
    assert.ok((await commit({ ledger })).ok);
    assert.ok(clock.turns >= validatedAndPlanned + COUNT, String(clock.turns));
  });

  it("is one revision, and none when its last document is wrong", async () => {
    const refused = await commit({}, "{apiVersion: v1, kind: ConfigMap, metadata: {name: Bad, namespace: shop}}");
    assert.equal(refused.ok, false);
    assert.equal(store.revision, 0);
    const done = await commit({});
    assert.ok(done.ok);
    assert.equal(done.value.revision, 1);
    assert.equal([...store.list("ConfigMap")].length, COUNT);
  });

  it("is checked again on what another commit left that came between two slices", async () => {
    const seen: number[] = [];
    const other = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: "other",
        namespace: "shop",
        labels: {},
        annotations: {},
        uid: "",
        generation: 0,
        resourceVersion: "",
        creationTimestamp: "",
      },
      spec: { data: {} },
    };
    let between: Promise<unknown> | undefined;
    const ledger = {
      *check(): Generator<undefined, Failure | undefined> {
        seen.push(store.revision);
        between ??= store.commit({ author: "", reason: "", puts: [other], deletes: [] });
        for (let at = 0; at < COUNT; at++) yield;
        // Only the second look is at what the other one left.
        return seen.length === 2 ? { kind: badRequest, message: "taken" } : undefined;
      },
    };
    const refused = await commit({ ledger });
    await between;
    assert.deepEqual(seen, [0, 1]);
    assert.equal(refused.ok, false);
    assert.equal(store.revision, 1);
  });
});

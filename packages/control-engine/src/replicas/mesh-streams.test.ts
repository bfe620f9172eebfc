// The streams of the whole mesh, put together from what each control plane says.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { err, ok, type Result } from "@ripstop/core";
import type { ReplicaLive } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";

import type { ReplicaRecord } from "../store/store.ts";
import { NOTHING_LISTENS } from "./ask-peer.ts";
import { mergeLive, MeshStreams } from "./mesh-streams.ts";

const nobody: ReplicaLive = { reached: true, concerned: [], pending: [], rejected: [], elapsedMs: 0 };

const record = (id: string): ReplicaRecord => ({
  id,
  version: "1",
  streamAddress: `${id}:1`,
  joinAddress: `${id}:2`,
  startedMs: 0,
  proxies: 12,
  rootSha256: "",
});

describe("mergeLive", () => {
  it("counts a proxy once whose workers are at several, and has it live when all of them have it", () => {
    const here = { ...nobody, concerned: ["a", "b"], pending: ["b"], elapsedMs: 5 };
    const there = { ...nobody, concerned: ["a", "b", "c"], pending: ["a"], elapsedMs: 9 };
    assert.deepEqual(mergeLive(7, [here, there]), {
      revision: 7,
      total: 3,
      live: 1,
      pending: ["b", "a"],
      rejected: [],
      elapsedMs: 9,
    });
  });

  it("has it refused when one worker refused it", () => {
    const rejected = [{ proxyId: "a", reason: "no" }];
    const here = { ...nobody, concerned: ["a"], rejected };
    const there = { ...nobody, concerned: ["a"], pending: ["a"] };
    const { live, pending, ...merged } = mergeLive(7, [here, there]);
    assert.deepEqual([live, pending, merged.rejected], [0, [], rejected]);
  });
});

describe("MeshStreams", () => {
  let clock: StoppedClock;
  let others: ReplicaRecord[];
  let answers: Record<string, Result<unknown, string>>;
  let asked: string[];
  let changed: () => void;
  let own: ReplicaLive;
  let streams: MeshStreams;

  beforeEach(() => {
    clock = new StoppedClock();
    others = [record("two"), record("three")];
    answers = {};
    asked = [];
    own = nobody;
    streams = new MeshStreams({
      own: { proxies: () => [], waitProgress: () => Promise.resolve(own) },
      clock,
      replication: {
        id: "one",
        get replicas() {
          return [record("one"), ...others];
        },
        onChange(listener) {
          changed = listener;
          return () => undefined;
        },
      },
      ask<Answer>({ address }: { readonly address: string }) {
        asked.push(address);
        // As the route would answer.
        return Promise.resolve((answers[address] ?? err("it does not answer")) as Result<Answer, string>);
      },
    });
  });

  it("asks all others, and not itself", async () => {
    answers = { "two:2": ok({ proxies: [{ proxyId: "a" }] }), "three:2": ok({ proxies: [{ proxyId: "b" }] }) };
    assert.deepEqual(await streams.proxies(), {
      proxies: [
        { proxyId: "a", replica: "two" },
        { proxyId: "b", replica: "three" },
      ],
    });
    assert.deepEqual(asked, ["two:2", "three:2"]);
  });

  it("does not take a revision for live where it has not come yet, or is not known", async () => {
    answers = { "two:2": ok({ ...nobody, reached: false }) };
    const silent = { id: "three", streamAddress: "three:1", proxies: 12, reason: "it does not answer" };
    const behind = { id: "two", streamAddress: "two:1", proxies: 12, reason: "revision 7 has not come to it yet" };
    assert.deepEqual((await streams.waitLive(7, 0)).unknown, [silent, behind]);
    answers = { "two:2": ok(nobody), "three:2": ok(nobody) };
    assert.equal((await streams.waitLive(7, 0)).unknown, undefined);
    own = { ...nobody, reached: false };
    assert.match((await streams.waitLive(7, 0)).unknown?.[0]?.reason ?? "", /not compiled/);
  });

  it("goes on asking one that the store lost sight of, as long as it answers", async () => {
    answers = { "two:2": ok({ proxies: [{ proxyId: "a" }] }), "three:2": ok({ proxies: [] }) };
    others = [record("three")];
    changed();
    clock.advance(3_600_000);
    assert.deepEqual((await streams.proxies()).proxies, [{ proxyId: "a", replica: "two" }]);
    delete answers["two:2"];
    assert.equal((await streams.proxies()).unknown, undefined, "its proxies have left it long ago");
    asked = [];
    await streams.proxies();
    assert.deepEqual(asked, ["three:2"]);
  });

  it("names one that just went and does not answer, unless nothing is there any more", async () => {
    answers = { "three:2": ok({ proxies: [] }) };
    others = [record("three")];
    changed();
    clock.advance(9_000);
    assert.deepEqual(
      (await streams.proxies()).unknown?.map(({ id, proxies }) => [id, proxies]),
      [["two", 12]],
    );
    answers["two:2"] = err(NOTHING_LISTENS);
    assert.equal((await streams.proxies()).unknown, undefined);
  });
});

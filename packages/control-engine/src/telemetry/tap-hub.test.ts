// The tap hub: filters, slow watchers, and what proxies are told.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { telemetry } from "@ripstop/model";

import { TapHub, type TapFilter } from "./tap-hub.ts";

const { SOURCE, DESTINATION } = telemetry.EdgeStats_Reporter;
const ALL: TapFilter = { source: undefined, destination: undefined, path: undefined, minStatus: undefined };

function event(change: Partial<telemetry.TapEvent> = {}): telemetry.TapEvent {
  return {
    ...telemetry.TapEvent.decode(new Uint8Array()),
    reporter: DESTINATION,
    sourceService: "shop/web",
    destinationService: "shop/catalog",
    path: "/a/b",
    status: 200,
    ...change,
  };
}

describe("TapHub", () => {
  function watch(hub: TapHub, filter: Partial<TapFilter>): telemetry.TapEvent[] {
    const seen: telemetry.TapEvent[] = [];
    assert.ok(hub.open({ filter: { ...ALL, ...filter }, onEvent: (one) => seen.push(one) > 0 }));
    return seen;
  }

  for (const [name, filter, matches] of [
    ["everything without a filter", {}, true],
    ["a service by its full name", { source: "shop/web" }, true],
    ["a service by its name in any namespace", { destination: "catalog" }, true],
    ["no service of another namespace", { source: "other/web" }, false],
    ["no service whose name only ends like it", { source: "eb" }, false],
    ["a path by its prefix", { path: "/a" }, true],
    ["no other path", { path: "/b" }, false],
    ["a status from the lowest on", { minStatus: 200 }, true],
    ["no lower status", { minStatus: 500 }, false],
  ] as const) {
    it(`shows ${name}`, () => {
      const hub = new TapHub();
      const seen = watch(hub, filter);
      hub.offer(event());
      assert.equal(seen.length, matches ? 1 : 0);
    });
  }

  it("shows a request that both ends report once, and one that never arrived too", () => {
    const hub = new TapHub();
    const seen = watch(hub, {});
    const identity = { destinationIdentity: "spiffe://a/b" };
    hub.offer(event({ reporter: SOURCE, ...identity }));
    hub.offer(event({ ...identity }));
    // Refused by the destination: its own report says why.
    hub.offer(event({ reporter: SOURCE, ...identity, errorCode: "RS1102" }));
    hub.offer(event({ reporter: SOURCE, ...identity, errorCode: "RS5002", errorCause: "connection refused" }));
    hub.offer(event({ reporter: SOURCE, destinationIdentity: "" }));
    assert.equal(seen.length, 3);
  });

  it("keeps the newest thousand for a slow watcher, counts the rest, and goes on in order", () => {
    const hub = new TapHub();
    const seen: number[] = [];
    let room = 1;
    const tap = hub.open({
      filter: ALL,
      onEvent: ({ timeUnixMs }) => {
        seen.push(timeUnixMs);
        return --room > 0;
      },
    });
    for (let time = 0; time < 1_501; time++) hub.offer(event({ timeUnixMs: time }));
    assert.deepEqual(seen, [0]);
    assert.equal(hub.dropped, 500);
    room = 2;
    tap?.resume();
    assert.deepEqual(seen, [0, 501, 502]);
    room = 5_000;
    tap?.resume();
    assert.equal(seen.length, 1_001);
    assert.equal(seen.at(-1), 1_500);
  });

  it("tells proxies what to send, and says when that changes", () => {
    const hub = new TapHub();
    let changes = 0;
    hub.onChange(() => changes++);
    assert.deepEqual(hub.command(), { taps: [] });
    const tap = hub.open({
      filter: { source: "shop/web", destination: "catalog", path: "/a", minStatus: 500 },
      onEvent: () => true,
    });
    const base = {
      id: "1",
      sourceService: "shop/web",
      destinationService: "",
      pathPrefix: "/a",
      minStatus: 500,
      maxPerSecond: 500,
    };
    assert.deepEqual(hub.command().taps, [base]);
    tap?.close();
    tap?.close();
    assert.deepEqual(hub.command(), { taps: [] });
    assert.equal(changes, 2);
  });

  it("takes no more than 32 watchers", () => {
    const hub = new TapHub();
    for (let index = 0; index < 32; index++) watch(hub, {});
    assert.equal(hub.open({ filter: ALL, onEvent: () => true }), undefined);
  });
});

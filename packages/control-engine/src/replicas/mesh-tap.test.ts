// Live requests of several control planes: in one order, with those named that do not answer.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import type { TapNotice } from "@ripstop/model";
import { telemetry } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";

import type { ReplicaRecord } from "../store/store.ts";
import { TapHub, type Tap } from "../telemetry/tap-hub.ts";
import { MeshTaps } from "./mesh-tap.ts";
import type { PeerStreamEvents } from "./peer-stream.ts";

const record = (id: string): ReplicaRecord => ({
  id,
  version: "1",
  streamAddress: `${id}:1`,
  joinAddress: `${id}:2`,
  startedMs: 0,
  proxies: 12,
  rootSha256: "",
});

const event = (timeUnixMs: number, path = `/${timeUnixMs}`): telemetry.TapEvent => ({
  ...telemetry.TapEvent.decode(new Uint8Array()),
  reporter: telemetry.EdgeStats_Reporter.DESTINATION,
  timeUnixMs,
  path,
});

describe("a tap of several control planes", () => {
  let clock: StoppedClock;
  let hub: TapHub;
  let others: ReplicaRecord[];
  let changed: () => void;
  /** Streams that are open, by address. */
  let streams: Map<string, PeerStreamEvents>;
  let opened: string[];
  let seen: string[];
  let notices: TapNotice[];
  let takes: boolean;
  let tap: Tap;

  beforeEach(() => {
    clock = new StoppedClock();
    hub = new TapHub();
    others = [record("two"), record("three")];
    changed = () => undefined;
    streams = new Map();
    opened = [];
    seen = [];
    notices = [];
    takes = true;
    const taps = new MeshTaps({
      own: hub,
      clock,
      mesh: {
        id: "one",
        get present() {
          return others;
        },
        onChange(listener) {
          changed = listener;
          return () => (changed = () => undefined);
        },
      },
      open({ address, path }, events) {
        opened.push(`${address}${path}`);
        streams.set(address, events);
        return { close: () => streams.delete(address) };
      },
    });
    const made = taps.open({
      filter: { source: undefined, destination: "shop/web", path: "/", minStatus: undefined },
      onEvent(one) {
        seen.push(one.path);
        return takes;
      },
      onNotice: (notice) => notices.push(notice),
    });
    assert.ok(made);
    tap = made;
  });

  const from = (address: string, one: telemetry.TapEvent): void => streams.get(address)?.onLine(JSON.stringify(one));
  const fail = (address: string, reason: string): void => {
    const events = streams.get(address);
    streams.delete(address);
    events?.onEnd(reason);
  };

  it("asks all others for the same requests", () => {
    assert.deepEqual(opened, [
      "two:2/v1/replica/tap?destination=shop%2Fweb&path=%2F",
      "three:2/v1/replica/tap?destination=shop%2Fweb&path=%2F",
    ]);
  });

  it("shows what comes from all, in the order of its time", () => {
    from("two:2", event(30));
    hub.offer({ ...event(20), destinationService: "shop/web" });
    clock.advance(200);
    from("three:2", event(10));
    assert.deepEqual(seen, []);
    clock.advance(200);
    assert.deepEqual(seen, ["/10", "/20", "/30"]);
  });

  it("names one that does not answer, goes on with the rest, and asks it again", () => {
    fail("two:2", "it does not answer");
    assert.deepEqual(notices, [
      {
        notice: "missing",
        replica: { id: "two", streamAddress: "two:1", proxies: 12, reason: "it does not answer" },
      },
    ]);
    from("three:2", event(1));
    clock.advance(5_000);
    assert.deepEqual(seen, ["/1"]);
    assert.equal(opened.length, 3);
    fail("two:2", "it does not answer");
    assert.equal(notices.length, 1, "it is named once");
    clock.advance(5_000);
    streams.get("two:2")?.onOpen();
    assert.deepEqual(
      notices.map(({ notice, replica }) => [notice, replica.id]),
      [
        ["missing", "two"],
        ["back", "two"],
      ],
    );
  });

  it("asks nobody again who is gone, and one that came at once", () => {
    others = [record("three"), record("four")];
    changed();
    fail("two:2", "its stream ended");
    assert.equal(notices[0]?.replica.id, "two");
    clock.advance(60_000);
    assert.deepEqual(
      opened.map((path) => path.split(":")[0]),
      ["two", "three", "four"],
    );
  });

  it("goes on with one that the store does not name any more, as long as it sends", () => {
    others = [record("three")];
    changed();
    from("two:2", event(1));
    clock.advance(1_000);
    assert.deepEqual(seen, ["/1"]);
    assert.deepEqual(notices, []);
  });

  it("waits for a slow watcher, and drops the oldest of too many", () => {
    takes = false;
    for (let at = 0; at < 1_100; at++) from("two:2", event(at));
    clock.advance(1_000);
    assert.equal(seen.length, 1);
    takes = true;
    tap.resume();
    assert.equal(seen.length + hub.dropped, 1_100);
    assert.equal(seen.at(-1), "/1099");
  });

  it("takes nothing for an event that is none", () => {
    for (const line of ["nonsense", "null", "7", '{"notice":"x"}']) streams.get("two:2")?.onLine(line);
    clock.advance(1_000);
    assert.deepEqual(seen, []);
  });

  it("ends everywhere when the watcher goes", () => {
    fail("three:2", "it does not answer");
    tap.close();
    clock.advance(60_000);
    assert.deepEqual([...streams.keys()], []);
    assert.equal(hub.watchers, 0);
    assert.equal(opened.length, 2);
  });
});

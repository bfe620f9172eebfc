import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { err, ok, type Result } from "@ripstop/core";
import type { HeartbeatResponse, WorkloadStatus } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import { ControlApi, type ApiFailure } from "./control-api.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

const LEASE_MS = 9_000;

function failure(status: number): ApiFailure {
  return { status, error: { code: "RS4001", title: "away", message: "away", remedy: "" } };
}

/** Answers reports as the test says. */
class FakeApi extends ControlApi {
  readonly reports: WorkloadStatus[] = [];
  answer: Result<HeartbeatResponse, ApiFailure> = ok({ leaseMs: LEASE_MS });

  constructor() {
    super("/nowhere");
  }

  override report(_workloadId: string, body: WorkloadStatus): Promise<Result<HeartbeatResponse, ApiFailure>> {
    this.reports.push(body);
    return Promise.resolve(this.answer);
  }
}

/** Lets everything that is settled go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("LeaseKeeper", () => {
  let api: FakeApi;
  let clock: StoppedClock;
  let keeper: LeaseKeeper;
  let reachable: boolean[];
  let answers: HeartbeatResponse[];
  let forgotten: number;

  beforeEach(() => {
    api = new FakeApi();
    clock = new StoppedClock();
    reachable = [];
    answers = [];
    forgotten = 0;
    keeper = new LeaseKeeper(api, "shop/web-1", LEASE_MS, clock, {
      onForgotten() {
        forgotten++;
        api.answer = ok({ leaseMs: LEASE_MS });
        return Promise.resolve(true);
      },
      onAnswer: (answer) => void answers.push(answer),
      onReachable: (now) => void reachable.push(now),
    });
  });
  afterEach(() => keeper.close());

  it("sends heartbeats at a third of the lease", async () => {
    await keeper.update({ inboundAddress: "127.0.0.1:1" });
    for (let beat = 2; beat <= 4; beat++) {
      clock.advance(LEASE_MS / 3 - 1);
      await settle();
      assert.equal(api.reports.length, beat - 1);
      clock.advance(1);
      await settle();
      assert.equal(api.reports.length, beat);
    }
    assert.deepEqual(api.reports.at(-1), { inboundAddress: "127.0.0.1:1", ready: false });
  });

  it("reports a change at once, with the newest state", async () => {
    const updates = [keeper.update({ ready: true }), keeper.update({ ready: false }), keeper.update({ ready: true })];
    await Promise.all(updates);
    assert.equal(api.reports.at(-1)?.ready, true);
    assert.ok(api.reports.length <= 2, "one report at a time, what came in between is merged");
  });

  it("hands on what the control plane answers", async () => {
    api.answer = ok({ leaseMs: LEASE_MS, bundle: { pem: "roots", sequence: 7 }, renewNow: true });
    await keeper.update({ bundleSequence: 6 });
    assert.deepEqual(answers, [{ leaseMs: LEASE_MS, bundle: { pem: "roots", sequence: 7 }, renewNow: true }]);
    assert.equal(api.reports.at(-1)?.bundleSequence, 6);
  });

  it("goes on while the control plane is away, says so once, and says when it is back", async () => {
    api.answer = err(failure(0));
    await keeper.update({ ready: true });
    for (let round = 0; round < 10; round++) {
      clock.advance(LEASE_MS / 3);
      await settle();
    }
    assert.ok(api.reports.length > 5);
    api.answer = ok({ leaseMs: LEASE_MS });
    clock.advance(LEASE_MS / 3);
    await settle();
    assert.deepEqual(reachable, [false, true]);
  });

  it("registers again when it was forgotten, and reports its state after that", async () => {
    await keeper.update({ ready: true });
    api.answer = err(failure(404));
    clock.advance(LEASE_MS / 3);
    await settle();
    assert.equal(forgotten, 1);
    assert.deepEqual(api.reports.at(-1), { inboundAddress: "", ready: true });
    assert.equal(api.reports.length, 3);
  });

  it("sends nothing after it was closed, and lets nobody wait", async () => {
    await keeper.update({ ready: true });
    const before = api.reports.length;
    keeper.close();
    clock.advance(60_000);
    await settle();
    assert.equal(api.reports.length, before);
    assert.equal(clock.pending, 0);
  });
});

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import type { Clock } from "@ripstop/core";
import { openAuthority, type OpenAuthority } from "@ripstop/identity/authority";
import type { IdentityHealth, RotationStatus } from "@ripstop/model";
import { createMetricRegistry } from "@ripstop/telemetry";

import { EventLog } from "../events/event-log.ts";
import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { identityHealth } from "./identity-health.ts";
import { IdentityWatch } from "./identity-watch.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Jumps over years without running what would be due every hour of them. */
class JumpingClock implements Clock {
  #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(): { clear(): void } {
    return { clear: () => undefined };
  }

  every(): { clear(): void } {
    return this.after();
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

const idle: RotationStatus = {
  phase: "idle",
  bundleSequence: 1,
  signingRootSha256: "",
  newRootSha256: "",
  startedMs: 0,
  phaseSinceMs: 0,
  total: 0,
  passed: 0,
  holding: [],
};

describe("the health of identities", () => {
  let directory: string;
  let clock: JumpingClock;
  let authority: OpenAuthority;
  let workloads: RegisteredWorkload[];
  let rotation: RotationStatus;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "ripstop-health-"));
    clock = new JumpingClock(Date.UTC(2026, 5, 1));
    const opened = await openAuthority({ directory, trustDomain: "mesh.local", clock });
    assert.ok(opened.ok);
    authority = opened.value;
    workloads = [];
    rotation = idle;
  });
  afterEach(async () => {
    await authority.close();
    await rm(directory, { recursive: true });
  });

  const health = (): IdentityHealth => identityHealth({ authority, clock, workloads, rotation });
  const roots = (): string[] =>
    health()
      .alarms.filter(({ type }) => type.startsWith("Root"))
      .map(({ type, severity }) => `${severity} ${type}`);

  function workload(id: string, issuedMs: number, notAfterMs: number): RegisteredWorkload {
    return {
      ...{
        id,
        namespace: "shop",
        service: "web",
        serviceAccount: "web",
        spiffeId: "spiffe://mesh.local/x",
        labels: {},
      },
      ...{ ports: [], pid: 0, registeredMs: 0, inboundAddress: "", ready: true },
      ...{ svidIssuedMs: issuedMs, svidNotAfterMs: notAfterMs },
    };
  }

  it("warns 60, 14 and 3 days before the root ends, and when it has ended", () => {
    clock.advance(3589 * DAY);
    assert.deepEqual(roots(), []);
    clock.advance(1 * DAY);
    assert.deepEqual(roots(), ["warning RootExpiring"]);
    clock.advance(57 * DAY);
    assert.deepEqual(roots(), ["critical RootExpiring"]);
    clock.advance(3 * DAY);
    assert.deepEqual(roots(), ["critical RootExpired"]);
    assert.equal(health().state, "degraded");
  });

  it("says it as an event once at each step", () => {
    const events = new EventLog(clock);
    const watch = new IdentityWatch({ clock, events, metrics: createMetricRegistry(), health, holding: () => 0 });
    const told = (): number => events.list().filter(({ type }) => type === "RootExpiring").length;
    const counts: number[] = [];
    for (const days of [3589, 1, 10, 36, 1, 10, 1]) {
      clock.advance(days * DAY);
      watch.check();
      counts.push(told());
    }
    watch.close();
    assert.deepEqual(counts, [0, 1, 1, 2, 2, 3, 3]);
  });

  it("tells a wrong clock from an expired root", async () => {
    await authority.close();
    clock = new JumpingClock(Date.UTC(2020, 0, 1));
    const opened = await openAuthority({ directory, trustDomain: "mesh.local", clock });
    assert.ok(opened.ok);
    authority = opened.value;
    const [alarm] = health().alarms;
    assert.equal(alarm?.type, "ClockWrong");
    assert.match(alarm.message, /correct the clock/);
  });

  it("names workloads that missed two renewals, and those whose SVID has ended", () => {
    const nowMs = clock.nowMs();
    workloads = [
      workload("shop/fresh", nowMs, nowMs + HOUR),
      workload("shop/due", nowMs - HOUR / 2, nowMs + HOUR / 2),
      workload("shop/late", nowMs - 0.8 * HOUR, nowMs + 0.2 * HOUR),
      workload("shop/ended", nowMs - HOUR, nowMs),
    ];
    assert.deepEqual(
      health().alarms.map(({ type, severity, subject }) => `${severity} ${type} ${subject}`),
      ["critical SvidExpired shop/ended", "warning SvidNotRenewed shop/late"],
    );
    assert.deepEqual(health().workloads, { total: 4, expired: 1, missedRenewals: 1 });
  });

  it("names who holds a rotation up for more than a minute", () => {
    const holder = { workloadId: "shop/web-1", spiffeId: "", reason: "its proxy is not connected" };
    rotation = { ...idle, phase: "distribute", total: 3, holding: [{ ...holder, sinceMs: clock.nowMs() }] };
    assert.deepEqual(roots(), []);
    clock.advance(60_000);
    assert.deepEqual(roots(), ["warning RootRotationHeldUp"]);
    assert.match(health().alarms[0]?.message ?? "", /1 of 3: shop\/web-1, its proxy is not connected/);
  });
});

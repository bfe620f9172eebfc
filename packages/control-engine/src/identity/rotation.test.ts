// Rotation, recovery and alarms of a whole control plane over its real socket and config stream.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "node:test";

import { systemClock } from "@ripstop/core";
import { trustBundleType, type HeartbeatResponse, type MeshEvent, type TrustBundle } from "@ripstop/model";
import type { IdentityHealth, RotationStatus, SvidResponse, TrustBundleView } from "@ripstop/model";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import { createMetricRegistry, type MetricRegistry } from "@ripstop/telemetry";

import { TestControl, type TestWorkload } from "../control.fixture.ts";

describe("the roots of a mesh", () => {
  let mesh: TestControl;
  let metrics: MetricRegistry;

  beforeEach(async () => {
    metrics = createMetricRegistry();
    mesh = await TestControl.start({ metrics });
  });
  afterEach(() => mesh.close());

  const status = async (): Promise<RotationStatus> => (await mesh.send("GET", "/v1/identity/rotation")).json();
  const health = async (): Promise<IdentityHealth> => (await mesh.send("GET", "/v1/identity/health")).json();
  const events = async (): Promise<string[]> =>
    (await mesh.send("GET", "/v1/events")).json<{ events: MeshEvent[] }>().events.map(({ type }) => type);
  const post = (body: object): Promise<{ readonly status: number; readonly text: string }> =>
    mesh.send("POST", "/v1/identity/rotation", body);

  /** A supervisor and its proxy: what a heartbeat brings is taken over, as `ripstop run` does. */
  class Member {
    readonly workload: TestWorkload;
    sequence: number;
    serial: string;

    constructor(workload: TestWorkload) {
      this.workload = workload;
      this.sequence = workload.bundleSequence ?? 0;
      this.serial = serialOf(workload.svidChainPem);
    }

    async beat(): Promise<HeartbeatResponse> {
      const path = `/v1/workloads/${this.workload.workloadId}`;
      const answer = (
        await mesh.send("PUT", path, {
          ...{ inboundAddress: "127.0.0.1:9", ready: true },
          ...{ bundleSequence: this.sequence, svidSerialNumber: this.serial },
        })
      ).json<HeartbeatResponse>();
      if (answer.bundle !== undefined) this.sequence = answer.bundle.sequence;
      if (answer.renewNow === true) {
        const { csrPem } = await createKeyAndCsr(this.workload.spiffeId);
        const renewed = (await mesh.send("POST", `${path}/svid`, { csrPem })).json<SvidResponse>();
        this.serial = serialOf(renewed.svidChainPem);
      }
      return answer;
    }
  }

  const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber.toLowerCase();

  /** A member whose proxy follows the trust bundle on the stream. */
  async function join(service: string): Promise<Member> {
    const workload = await mesh.register(service);
    const client = await mesh.client(workload);
    await new Promise<void>((resolve) => {
      client.watch<TrustBundle>(trustBundleType, "mesh.local", {
        onResource: () => resolve(),
        onRemoved: () => undefined,
      });
    });
    return new Member(workload);
  }

  /** Beats until the rotation is where it should be; bounded, with the reason when it is not. */
  async function until(phase: string, members: readonly Member[]): Promise<RotationStatus> {
    for (let beat = 0; beat < 20_000; beat++) {
      await Promise.all(members.map((member) => member.beat()));
      const now = await status();
      if (now.phase === phase) return now;
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error(`never in ${phase}: ${JSON.stringify(await status())}`);
  }

  it("are exchanged when everyone has acknowledged and moved", async () => {
    const members = [await join("web"), await join("orders")];
    const before = (await mesh.send("GET", "/v1/identity/bundle")).json<TrustBundleView>();
    assert.equal((await post({})).status, 200);
    assert.equal((await post({})).status, 409, "one at a time");
    const done = await until("idle", members);
    assert.equal(done.last?.outcome, "done");
    const after = (await mesh.send("GET", "/v1/identity/bundle")).json<TrustBundleView>();
    assert.ok(after.sequence > before.sequence);
    assert.notEqual(after.pem, before.pem);
    const steps = (await events()).filter((type) => type.startsWith("RootRotation"));
    assert.deepEqual(steps, [
      ...["RootRotationStarted", "RootRotationSigning", "RootRotationWithdrawn", "RootRotationDone"],
    ]);
  });

  it("wait for one that is away, go on without it by force, and say whom that cuts off", async () => {
    const web = await join("web");
    const away = await mesh.register("away");
    await post({});
    for (let beat = 0; beat < 5; beat++) await web.beat();
    const held = await status();
    assert.equal(held.phase, "distribute");
    assert.ok(held.holding.some(({ workloadId }) => workloadId === away.workloadId));
    assert.ok(held.holding.every(({ sinceMs }) => sinceMs > 0));
    assert.equal((await post({ force: true })).status, 200);
    const moving = await until("move", [web]);
    assert.ok(moving.holding.length >= 1);
    await mesh.restart();
    assert.equal((await status()).phase, "move", "the phase outlives a restart");
    await post({ force: true });
    await post({ force: true });
    const done = await status();
    assert.ok(done.last?.forced.includes(away.workloadId), JSON.stringify(done));
    assert.ok((await post({ force: true })).text.includes("RS3074"));
  });

  it("stay as they are when a rotation is given up", async () => {
    const web = await join("web");
    await mesh.register("away");
    const before = (await mesh.send("GET", "/v1/identity/bundle")).json<TrustBundleView>();
    await post({});
    await web.beat();
    const given = (await mesh.send("DELETE", "/v1/identity/rotation")).json<RotationStatus>();
    assert.equal(given.phase, "idle");
    assert.equal(given.last?.outcome, "given up");
    const after = (await mesh.send("GET", "/v1/identity/bundle")).json<TrustBundleView>();
    assert.equal(after.pem, before.pem);
    assert.equal((await mesh.send("DELETE", "/v1/identity/rotation")).status, 409);
  });

  it("are healthy in the beginning, and cannot be recovered without need", async () => {
    const now = await health();
    assert.equal(now.state, "healthy");
    assert.deepEqual(now.alarms, []);
    assert.equal(now.roots.length, 1);
    assert.equal(now.intermediates.length, 1);
    assert.equal((await mesh.send("POST", "/v1/identity/recovery", {})).status, 409);
    assert.match(metrics.render(), /ripstop_identity_bundle_sequence 1\n/);
    assert.match(metrics.render(), /ripstop_identity_root_expiry_seconds [1-9]/);
  });
});

describe("a root that has expired", () => {
  it("lets the control plane start, which refuses to issue until a recovery", async () => {
    const begun = await TestControl.start();
    const later = { ...systemClock, nowMs: () => systemClock.nowMs() + 3651 * 24 * 3_600_000 };
    await begun.control.close();
    const mesh = await TestControl.start({ clock: later, home: begun.home });
    try {
      const degraded = (await mesh.send("GET", "/v1/identity/health")).json<IdentityHealth>();
      assert.equal(degraded.state, "degraded");
      assert.deepEqual(
        degraded.alarms.map(({ type, severity }) => [type, severity]),
        [["RootExpired", "critical"]],
      );
      await assert.rejects(mesh.register("web"), /RS3073.*RS2011/);
      const recovered = (await mesh.send("POST", "/v1/identity/recovery", {})).json<IdentityHealth>();
      assert.equal(recovered.state, "healthy");
      assert.deepEqual(recovered.alarms, []);
      await mesh.register("web");
      const { events } = (await mesh.send("GET", "/v1/events")).json<{ events: MeshEvent[] }>();
      assert.deepEqual(
        events.map(({ type }) => type).filter((type) => type !== "CsrRefused"),
        ["RootExpired", "RootRecovered"],
      );
    } finally {
      await mesh.close();
    }
  });
});

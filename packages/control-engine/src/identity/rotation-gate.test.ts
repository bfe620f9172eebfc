import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { checkGate, CONTROL_PLANE, type GateFacts } from "./rotation-gate.ts";

const workload: RegisteredWorkload = {
  id: "shop/web-1",
  namespace: "shop",
  service: "web",
  serviceAccount: "web",
  spiffeId: "spiffe://mesh.local/ns/shop/sa/web",
  labels: {},
  ports: [],
  pid: 1,
  registeredMs: 0,
  inboundAddress: "",
  ready: true,
  svidNotAfterMs: 1,
  svidSerialNumber: "aa",
  rootSha256: "new",
};

const good: GateFacts = {
  phase: "distribute",
  bundleSequence: 2,
  newRootSha256: "new",
  workloads: [workload],
  absent: [],
  own: { spiffeId: "spiffe://mesh.local/ns/ripstop-system/sa/control", rootSha256: "new" },
  inForce: () => ({ bundleSequence: 2, svidSerialNumber: "aa" }),
  acknowledged: () => true,
};

const absent = {
  id: "shop/lost-1",
  spiffeId: "spiffe://mesh.local/ns/shop/sa/lost",
  pid: 0,
  svidNotAfterMs: 5,
  rootSha256: "old",
  sinceMs: 0,
};

describe("the gate of a rotation", () => {
  const reasons = (change: Partial<GateFacts>): string[] =>
    checkGate({ ...good, ...change }).holding.map(({ workloadId, reason }) => `${workloadId}: ${reason}`);

  const table: readonly (readonly [Partial<GateFacts>, RegExp | undefined])[] = [
    [{}, undefined],
    [{ acknowledged: () => undefined }, /its proxy is not connected/],
    [{ acknowledged: () => false }, /its proxy has not acknowledged/],
    [{ acknowledged: () => "no certificate" }, /its proxy refused the new trust bundle: no certificate/],
    [{ inForce: () => undefined }, /not heard of since/],
    [{ inForce: () => ({ bundleSequence: 1, svidSerialNumber: "aa" }) }, /supervisor has not taken over/],
    [{ inForce: () => ({ bundleSequence: undefined, svidSerialNumber: "aa" }) }, /does not say which trust bundle/],
    [{ absent: [absent] }, /^shop\/lost-1: it fell silent.*1970-01-01T00:00:00.005Z/],
    [{ own: { spiffeId: "", rootSha256: "old" } }, undefined],
    [{ phase: "withdraw", acknowledged: () => false }, /its proxy has not acknowledged/],
    [{ phase: "withdraw", absent: [absent] }, undefined],
    [{ phase: "move" }, undefined],
    [{ phase: "move", acknowledged: () => undefined }, undefined],
    [{ phase: "move", workloads: [{ ...workload, rootSha256: "old" }] }, /still of the old root/],
    [{ phase: "move", inForce: () => ({ bundleSequence: 2, svidSerialNumber: "bb" }) }, /does not use its new SVID/],
    [{ phase: "move", inForce: () => ({ bundleSequence: 2, svidSerialNumber: "" }) }, /its proxy does not run/],
    [{ phase: "move", inForce: () => undefined }, /not heard of since/],
    [{ phase: "move", own: { spiffeId: "", rootSha256: "old" } }, new RegExp(`^${CONTROL_PLANE}: its own SVID`)],
    [{ phase: "move", absent: [absent] }, /it fell silent/],
    [{ phase: "move", absent: [{ ...absent, rootSha256: "new" }] }, undefined],
  ];
  for (const [change, expected] of table) {
    const what = JSON.stringify(change, (_key, value: unknown) =>
      typeof value === "function" ? String(value) : value,
    );
    it(`${expected === undefined ? "opens" : `says ${expected.source}`} with ${what}`, () => {
      const found = reasons(change);
      if (expected === undefined) assert.deepEqual(found, []);
      else assert.match(found.join("\n"), expected);
    });
  }

  it("counts the control plane among those that move", () => {
    assert.equal(checkGate(good).total, 1);
    assert.equal(checkGate({ ...good, phase: "move" }).total, 2);
  });
});

// ResiliencePolicy, from YAML to the Service and Workload that proxies are told of.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Resilience, Service, Workload } from "@ripstop/model";

import { goldenTests, readResource, violationsOf } from "../fixtures.suite.ts";
import { kind, servicePolicy } from "./index.ts";

const testdata = new URL("../../src/resilience/testdata/", import.meta.url);
const text = (spec: string): string =>
  `{apiVersion: ripstop.mesh/v1alpha1, kind: ResiliencePolicy, metadata: {name: a, namespace: shop}, spec: {targetRefs: [{kind: Service, name: stock}], ${spec}}}`;
const NOTHING = new Uint8Array();
const service: Service = { ...Service.decode(NOTHING), namespace: "shop", name: "stock" };

describe("the policy ResiliencePolicy", () => {
  goldenTests(testdata, (yaml) => {
    const policy = readResource(kind, yaml);
    return {
      targets: servicePolicy.targets(policy),
      resilience: servicePolicy.apply(policy, service).resilience,
      shedding: servicePolicy.applyToWorkload?.(policy, Workload.decode(NOTHING)).shedding ?? null,
    };
  });

  it("keeps what another policy said about the service", () => {
    const policy = readResource(kind, text("timeouts: {request: 1s}"));
    const ejecting: Service = {
      ...service,
      resilience: { ...Resilience.decode(NOTHING), ejectAfterFailures: 7 },
    };
    const { resilience } = servicePolicy.apply(policy, ejecting);
    assert.equal(resilience?.ejectAfterFailures, 7);
    assert.equal(resilience?.requestTimeoutMs, 1000);
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ["timeouts: {request: 1s, perTry: 1s}", /^spec\.timeouts\.perTry — 1s is no shorter than/],
    ["timeouts: {request: 1s, responseHeader: 3s}", /^spec\.timeouts\.responseHeader — /],
    ["timeouts: {request: soon}", /^spec\.timeouts\.request — .*write digits and a unit/],
    ["retries: {backoff: {base: 2s, max: 1s}}", /^spec\.retries\.backoff\.max — 1s is shorter than base/],
    ["retries: {on: [sometimes]}", /^spec\.retries\.on\[0\] — /],
    ["hedging: {after: 10ms, percentile: 95}", /^spec\.hedging\.percentile — after and percentile are both given/],
    ["hedging: {after: 0s}", /^spec\.hedging\.after — every request would be sent twice/],
    ["adaptiveConcurrency: {minimum: 9, maximum: 8}", /^spec\.adaptiveConcurrency\.minimum — 9 is above maximum/],
    ["loadShedding: {minimum: 9, maximum: 8}", /^spec\.loadShedding\.minimum — 9 is above maximum/],
    ["limits: {requests: 0}", /^spec\.limits\.requests — /],
  ];
  for (const [spec, expected] of refused) {
    it(`refuses ${spec}`, () => {
      const violations = violationsOf(kind, text(spec));
      assert.equal(violations.length, 1, violations.join("\n"));
      assert.match(violations[0] ?? "", expected);
    });
  }

  it("refuses the same Service twice", () => {
    const yaml = text("limits: {requests: 1}").replace("name: stock}]", "name: stock}, {kind: Service, name: stock}]");
    assert.match(violationsOf(kind, yaml)[0] ?? "", /^spec\.targetRefs\[1\] — Service stock is there twice/);
  });
});

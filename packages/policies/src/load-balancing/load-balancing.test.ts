// LoadBalancingPolicy: what it compiles to, what it refuses.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { goldenTests, readResource, violationsOf } from "../fixtures.suite.ts";
import { compileLoadBalancing, loadBalancingTargets } from "./apply.ts";
import { kind, servicePolicy } from "./index.ts";

const policy = (spec: string): string => `
apiVersion: ripstop.mesh/v1alpha1
kind: LoadBalancingPolicy
metadata: { name: p, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: catalog }]
${spec
  .split("\n")
  .map((line) => `  ${line}`)
  .join("\n")}
`;

describe("LoadBalancingPolicy", () => {
  goldenTests(new URL("../../src/load-balancing/testdata/", import.meta.url), (text) =>
    compileLoadBalancing(readResource(kind, text)),
  );

  it("is attached to the Services of its own namespace that it names", () => {
    const resource = readResource(kind, policy("algorithm: Random"));
    assert.deepEqual(loadBalancingTargets(resource), ["shop/catalog"]);
    const service = {
      namespace: "shop",
      name: "catalog",
      hostnames: [],
      addresses: [],
      ports: [],
      resilience: undefined,
    };
    const applied = servicePolicy.apply(resource, service);
    assert.equal(applied.loadBalancing?.source, "LoadBalancingPolicy shop/p");
    assert.deepEqual({ ...applied, loadBalancing: undefined }, { ...service, loadBalancing: undefined });
  });

  it("says what does not fit together, and where", () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["algorithm: Maglev", /^spec\.hashKeys — hashKeys is missing/],
      ["hashKeys: [{ type: Path }]", /^spec\.hashKeys — PeakEwma does not hash/],
      ["maxLoad: 150", /^spec\.maxLoad — PeakEwma has no bound/],
      ["algorithm: RingHash\nhashKeys: [{ type: Header }]", /^spec\.hashKeys\[0\]\.name — name is missing/],
      ["algorithm: RingHash\nhashKeys: [{ type: Path, name: x }]", /^spec\.hashKeys\[0\]\.name — a key of type Path/],
      [
        "algorithm: RingHash\nhashKeys: [{ type: Header, name: x, ttl: 1h }]",
        /^spec\.hashKeys\[0\]\.ttl — .*no cookie/,
      ],
      ["slowStart: { window: 0s }", /^spec\.slowStart\.window — the time is zero/],
      ["outliers: { baseEjection: 10m }", /^spec\.outliers\.maxEjection — the longest ejection/],
      ["healthCheck: { type: TCP, http: {} }", /^spec\.healthCheck\.http — the check is TCP/],
      ["healthCheck: { type: HTTP, grpc: {} }", /^spec\.healthCheck\.grpc — the check is HTTP/],
      [
        "healthCheck: { type: HTTP, http: { minStatus: 300 } }",
        /^spec\.healthCheck\.http\.maxStatus — no status is at least 300/,
      ],
      [
        "sessionPersistence: { cookieConfig: { lifetimeType: Permanent } }",
        /^spec\.sessionPersistence\.absoluteTimeout — absoluteTimeout is missing/,
      ],
      ["sessionPersistence: { type: Header, sessionName: Cookie }", /^spec\.sessionPersistence\.sessionName — /],
      ["sessionPersistence: { sessionName: 'a b' }", /^spec\.sessionPersistence\.sessionName — "a b" cannot/],
      ["sessionPersistence: { type: Header, cookieConfig: {} }", /^spec\.sessionPersistence\.cookieConfig — /],
      ["algorithm: Fastest", /^spec\.algorithm — /],
      ["slowStart: { window: soon }", /^spec\.slowStart\.window — /],
    ];
    for (const [spec, wanted] of cases) {
      const [first = "", ...more] = violationsOf(kind, policy(spec));
      assert.match(first, wanted, spec);
      assert.deepEqual(more, [], spec);
    }
  });
});

// The list of what was called outside: sums, whose it is, and its bounds.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { telemetry } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { EgressLog } from "./egress-log.ts";

const web = { id: "shop/web-1", namespace: "shop", service: "web" } as RegisteredWorkload;

const out = {
  id: "infra/out-1",
  namespace: "infra",
  service: "out-gateway",
  gateway: { names: ["out"], address: "127.0.0.1", portOffset: 0 },
} as unknown as RegisteredWorkload;

function report(...egress: readonly Partial<telemetry.EgressSeen>[]): telemetry.ProxyReport {
  return {
    edges: [],
    taps: [],
    tapsDropped: 0,
    proxy: undefined,
    egress: {
      seen: egress.map((seen) => ({
        workload: "shop/web-1",
        host: "api.example.com",
        port: 443,
        protocol: "tcp",
        count: 1,
        denied: 0,
        ...seen,
      })),
    },
  };
}

describe("the list of what was called outside", () => {
  const log = (maxEntries?: number): { readonly log: EgressLog; readonly clock: StoppedClock } => {
    const clock = new StoppedClock();
    const workload = (id: string): RegisteredWorkload | undefined => [web, out].find((one) => one.id === id);
    return { clock, log: new EgressLog({ clock, workload, ...(maxEntries === undefined ? {} : { maxEntries }) }) };
  };

  it("adds up what the proxies of a service report, and says since when", () => {
    const { log: made, clock } = log();
    made.onReport(report({ count: 2 }));
    clock.advance(1_000);
    made.onReport(report({ count: 3, denied: 1 }, { host: "a.example.com", port: 80, protocol: "http" }));
    const [first, second] = made.list();
    assert.deepEqual([first?.host, second?.host], ["a.example.com", "api.example.com"]);
    assert.deepEqual([second?.count, second?.denied, second?.service], [5, 1, "shop/web"]);
    assert.equal((second?.lastSeenMs ?? 0) - (second?.firstSeenMs ?? 0), 1_000);
  });

  it("takes nothing about workloads that are not registered, and no endless names", () => {
    const { log: made } = log();
    made.onReport(report({ workload: "bank/x" }, { host: "x".repeat(254) }, { host: "" }));
    assert.deepEqual(made.list(), []);
  });

  it("believes the proxy of a Gateway, and nobody else, who called through it", () => {
    const { log: made } = log();
    const call = { gateway: "infra/out", source: "shop/web" };
    made.onReport(
      report(
        { ...call, workload: out.id },
        { ...call, workload: out.id, gateway: "infra/other" },
        { ...call, workload: out.id, source: "" },
        { ...call, workload: out.id, source: "x".repeat(2_049) },
        { ...call, workload: web.id, source: "bank/ledger" },
      ),
    );
    made.onReport(report({ host: "api.example.com" }));
    assert.deepEqual(
      made.list().map(({ service, gateway }) => [service, gateway]),
      [
        ["shop/web", undefined],
        ["shop/web", "infra/out"],
      ],
    );
  });

  it("drops what was silent longest when there is too much", () => {
    const { log: made } = log(2);
    for (const host of ["a", "b", "a", "c"]) made.onReport(report({ host }));
    assert.deepEqual(
      made.list().map(({ host }) => host),
      ["a", "c"],
    );
  });
});

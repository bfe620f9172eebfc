// Which resources a proxy may know.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  gatewayRouteName,
  gatewayRoutesType,
  gatewayRouteType,
  gatewayType,
  serviceType,
  workloadType,
  type RegisterRequest,
} from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";

import { Registry } from "../registry/registry.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { maySee } from "./may-see.ts";

const clock = new StoppedClock();
const gateway = { names: ["edge", "inner"], address: "127.0.0.1", portOffset: 0 };
const request: RegisterRequest = {
  service: "edge-gateway",
  serviceAccount: "gateway",
  namespace: "infra",
  instance: "a",
  labels: {},
  ports: [],
  csrPem: "",
  pid: 1,
  gateway,
};

function freshRegistry(): Registry {
  const table = new MemoryStore({ clock }).table<never>("workloads");
  return new Registry({ clock, table, trustDomain: "mesh.local", isProcessAlive: () => true });
}

async function registryWith(...requests: readonly RegisterRequest[]): Promise<Registry> {
  const registry = freshRegistry();
  for (const one of requests) {
    const named = registry.name(one);
    assert.ok(named.ok, JSON.stringify(named));
    await registry.register(one, { ...named.value, svidNotAfterMs: 0 });
  }
  registry.close();
  return registry;
}

describe("a gateway's resources", () => {
  it("are for the proxies of its placement, whichever of their workers asks, and for no other", async () => {
    const { gateway: _none, ...plain } = request;
    const registry = await registryWith(request, { ...plain, instance: "b" });
    const may = ({ typeUrl }: { readonly typeUrl: string }, name: string, proxyId: string): boolean =>
      maySee(registry, typeUrl, { name, subscriber: { proxyId, identity: "" } });
    const route = gatewayRouteName("infra/inner", "HTTPRoute", "shop/catalog");
    for (const [type, name] of [
      [gatewayType, "infra/edge"],
      [gatewayRoutesType, "infra/edge"],
      [gatewayRouteType, route],
    ] as const) {
      assert.ok(may(type, name, "infra/a"), name);
      assert.ok(may(type, name, "infra/a#2"), name);
      assert.ok(!may(type, name, "infra/b"), name);
      assert.ok(!may(type, name, "infra/nobody"), name);
      assert.ok(!may(type, name.replace("infra", "shop"), "infra/a"), name);
      assert.ok(!may(type, name.replace(/edge|inner/, "other"), "infra/a"), name);
    }
    assert.ok(may(serviceType, "infra/edge", "infra/b"));
    assert.ok(!may(workloadType, "infra/a", "infra/b"));
  });

  it("cannot be had by an ordinary identity of the namespace", () => {
    const registry = freshRegistry();
    const name = (change: Partial<RegisterRequest>): boolean => registry.name({ ...request, ...change }).ok;
    assert.ok(name({}));
    assert.ok(!name({ serviceAccount: "catalog" }));
    assert.ok(!name({ serviceAccount: "edge" }));
    assert.ok(name({ serviceAccount: "edge", gateway: { ...gateway, names: ["edge"] } }));
    assert.ok(!name({ serviceAccount: "edge", gateway: { ...gateway, names: ["other"] } }));
    registry.close();
  });
});

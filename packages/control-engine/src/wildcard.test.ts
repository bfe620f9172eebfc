// A whole control plane, and a proxy that asks it for everything of a type.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { holdProcess, type Timer } from "@ripstop/core";
import { serviceType, type ResourceType, type Service } from "@ripstop/model";
import type { DiscoveryClient } from "@ripstop/discovery/client";

import { TestControl } from "./control.fixture.ts";

const service = (namespace: string, name: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ port: 80 }] },
  });

/** The names of everything of a type that the proxy has, once they are these. */
function namesWhen<T>(client: DiscoveryClient, type: ResourceType<T>, expected: readonly string[]): Promise<void> {
  const names = new Set<string>();
  return new Promise((resolve) => {
    const check = (): void => {
      if ([...names].sort().join() === expected.join()) resolve();
    };
    client.watchAll<T>(type, {
      onResource: (name) => {
        names.add(name);
        check();
      },
      onRemoved: (name) => {
        names.delete(name);
        check();
      },
    });
  });
}

describe("a control plane that is asked for all services", { timeout: 120_000 }, () => {
  let hold: Timer;
  let mesh: TestControl;
  before(async () => {
    hold = holdProcess();
    mesh = await TestControl.start();
  });
  after(async () => {
    await mesh.close();
    hold.clear();
  });

  it("gives those of the proxy's namespace as they come, and none of another", async () => {
    await mesh.apply(service("bank", "ledger"));
    const client = await mesh.client(await mesh.register("web"));
    const seen: string[] = [];
    client.watchAll<Service>(serviceType, {
      onResource: (_name, { namespace }) => void seen.push(namespace),
      onRemoved: () => undefined,
    });
    await namesWhen(client, serviceType, ["shop/web"]);
    await mesh.apply(service("shop", "orders"));
    await mesh.apply(service("bank", "other"));
    await namesWhen(client, serviceType, ["shop/orders", "shop/web"]);
    assert.deepEqual([...new Set(seen)], ["shop"]);
  });
});

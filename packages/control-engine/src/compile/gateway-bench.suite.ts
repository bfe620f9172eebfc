// What the compile bench has, conditions, and a proxy that hosts Gateways, for the tests of Gateways.

import assert from "node:assert/strict";

import type { ClosedGatewayPort, ResourceType } from "@ripstop/model";
import { isRecord, type Resource } from "@ripstop/resources";

import { CompileBench } from "./compile-bench.suite.ts";
import { Conditions, type ConditionTimes } from "./conditions.ts";

const PROXY = "infra/proxy";

/** The control side of Gateways in memory. */
export class GatewayBench extends CompileBench {
  readonly conditions: Conditions;

  constructor() {
    super();
    const { store, compiler, clock } = this;
    const table = store.table<ConditionTimes>("conditions");
    this.conditions = new Conditions({ store, compiler, table, clock });
  }

  /** A ready proxy that hosts Gateways of namespace infra. */
  async host(...names: readonly string[]): Promise<void> {
    await this.register({
      service: "gateway",
      namespace: "infra",
      instance: "proxy",
      gateway: { names, address: "127.0.0.7", portOffset: 0 },
    });
    await this.registry.heartbeat(PROXY, { inboundAddress: "10.0.0.1:15008", ready: true });
  }

  /** The proxy of `host` says which ports it cannot open. */
  async report(closedPorts: readonly ClosedGatewayPort[]): Promise<void> {
    const status = { inboundAddress: "10.0.0.1:15008", ready: true, closedPorts };
    assert.ok((await this.registry.heartbeat(PROXY, status)).ok);
  }

  /** What the proxy of `host` gets. */
  override get<T>(type: ResourceType<T>, name: string): T | undefined {
    return super.get(type, name, PROXY);
  }

  resource(key: string): Resource {
    const found = this.store.get(key);
    assert.ok(found, key);
    return this.conditions.withStatus(found);
  }

  status(key: string): Readonly<Record<string, unknown>> {
    const { status } = this.resource(key);
    assert.ok(isRecord(status), key);
    return status;
  }

  /** "Accepted=True Accepted" of every condition of the whole, or of the listener, parent or ancestor at `place`. */
  conditionsOf(key: string, ...place: readonly (string | number)[]): readonly string[] {
    let at: unknown = this.status(key);
    for (const step of place) {
      if (Array.isArray(at))
        at = at.find((one: unknown, index) => index === step || (isRecord(one) && one["name"] === step));
      else at = isRecord(at) ? at[step] : undefined;
    }
    const list = isRecord(at) ? at["conditions"] : undefined;
    assert.ok(Array.isArray(list), `${key} ${place.join(".")}`);
    return list.map((one: unknown) => {
      assert.ok(isRecord(one));
      return `${String(one["type"])}=${String(one["status"])} ${String(one["reason"])}`;
    });
  }

  override close(): void {
    this.conditions.close();
    super.close();
  }
}

/** A Secret with a certificate and its key. */
export function tlsSecret(name: string, { chainPem, keyPem }: { chainPem: string; keyPem: string }): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace: "infra" },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": chainPem, "tls.key": keyPem },
  });
}

// What a namespace may have, and that nobody takes its names.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { KindRegistry, type Resource } from "@ripstop/resources";
import { StoppedClock } from "@ripstop/testkit";

import { allKinds } from "../../all-kinds.ts";
import type { Failure } from "../../failure.ts";
import { MemoryStore } from "../../store/memory-store.ts";
import { atOnce } from "../../in-slices.ts";
import { planCommit } from "../../store/plan-commit.ts";
import { SHARED_HOSTS_ANNOTATION } from "./name-claims.ts";
import { ResourceLedger } from "./resource-ledger.ts";

const resource = (kind: string, name: string, spec: unknown, annotations: Record<string, string> = {}): Resource => {
  const [namespace = "", own = ""] = name.split("/");
  const metadata = { uid: "", generation: 0, resourceVersion: "", creationTimestamp: "", labels: {}, annotations };
  return { apiVersion: "v1", kind, metadata: { ...metadata, namespace, name: own }, spec };
};
const service = (name: string, clusterIP: string): Resource => resource("Service", name, { clusterIP });
const route = (name: string, host: string): Resource =>
  resource("HTTPRoute", name, {
    hostnames: [host],
    parentRefs: [{ kind: "Gateway", namespace: "infra", name: "public" }],
  });

class Mesh {
  readonly store: MemoryStore = new MemoryStore({ clock: new StoppedClock() });
  readonly ledger: ResourceLedger = new ResourceLedger(this.store, new KindRegistry(allKinds), {
    resourcesPerNamespace: 3,
    resourceCharacters: 2_000,
  });

  /** Commits when the ledger lets it; else why not. */
  async commit(puts: readonly Resource[], deletes: readonly string[] = []): Promise<Failure | undefined> {
    const { store } = this;
    const transaction = { author: "", reason: "", puts, deletes };
    const planned = planCommit(transaction, { revision: store.revision, timeMs: 0, get: (key) => store.get(key) });
    assert.ok(planned.ok);
    const refused = atOnce(this.ledger.check(planned.value.changes));
    if (refused === undefined) await store.commit(transaction);
    return refused;
  }
}

describe("the ledger of resources", () => {
  it("counts each namespace for itself, and says how many there are when there would be too many", async () => {
    const mesh = new Mesh();
    assert.equal(await mesh.commit([service("a/one", ""), service("a/two", ""), service("b/one", "")]), undefined);
    const refused = await mesh.commit([service("a/three", ""), service("a/four", "")]);
    assert.equal(refused?.kind.code, "RS3030");
    assert.match(refused?.message ?? "", /there are 2 resources in namespace a and this adds 2; at most 3/);
    assert.equal(await mesh.commit([service("a/three", "")]), undefined);
    assert.equal(await mesh.commit([service("a/four", "")], ["Service/a/one"]), undefined);
    assert.equal(mesh.ledger.count("a"), 3);
    assert.equal((await mesh.commit([service("a/two", "x".repeat(3_000))]))?.kind.code, "RS3031");
  });

  it("keeps an address with the namespace that has it first, and names the owner", async () => {
    const mesh = new Mesh();
    assert.equal(await mesh.commit([service("bank/vault", "10.0.0.1")]), undefined);
    const refused = await mesh.commit([service("evil/vault", "10.0.0.1")]);
    assert.equal(refused?.kind.code, "RS3036");
    assert.match(refused?.message ?? "", /address 10\.0\.0\.1 belongs to namespace bank: Service bank\/vault has it/);
    assert.equal(refused?.violations?.[0]?.path, "spec.clusterIP");
    assert.equal((await mesh.commit([service("a/x", "10.0.0.2"), service("b/x", "10.0.0.2")]))?.kind.code, "RS3036");
    assert.equal(await mesh.commit([service("bank/other", "10.0.0.1")]), undefined);
    assert.equal(
      await mesh.commit([service("evil/vault", "10.0.0.1")], ["Service/bank/vault", "Service/bank/other"]),
      undefined,
    );
  });

  it("keeps a hostname on a Gateway likewise, unless the Gateway shares its hostnames", async () => {
    const mesh = new Mesh();
    assert.equal(await mesh.commit([route("shop/web", "shop.example")]), undefined);
    assert.equal((await mesh.commit([route("evil/web", "SHOP.example")]))?.kind.code, "RS3036");
    assert.equal(await mesh.commit([route("evil/web", "evil.example")]), undefined);
    const shared = resource("Gateway", "infra/public", {}, { [SHARED_HOSTS_ANNOTATION]: "true" });
    assert.equal(await mesh.commit([shared, route("team/web", "shop.example")]), undefined);
  });
});

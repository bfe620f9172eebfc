// Starts what the config of proxies is made from: the registry, the bundles of other trust domains, and the compiler.

import { policyKinds, servicePolicyKinds } from "@ripstop/policies/control";

import { Compiler } from "../compile/compiler.ts";
import { Conditions, type ConditionTimes } from "../compile/conditions.ts";
import { tellTrouble } from "../compile/tell-trouble.ts";
import { HostResolver } from "../dns/host-resolver.ts";
import { BundleDirectory, type BundleNumber } from "../federation/bundle-directory.ts";
import { Federation, type FederationRecord } from "../federation/federation.ts";
import { isProcessAlive } from "../home/home-lock.ts";
import { startImports, type StartedImports } from "../imports/start-imports.ts";
import { followGateways, infrastructureOf } from "../registry/gateway-infrastructure.ts";
import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { Registry } from "../registry/registry.ts";
import { given, type Ground } from "./ground.ts";
import type { MeshIdentity } from "./start-identity.ts";

/** What the config of proxies is made from. */
export interface MeshModel {
  readonly registry: Registry;
  readonly federation: Federation;
  readonly bundles: BundleDirectory;
  readonly compiler: Compiler;
  readonly conditions: Conditions;
  /** Instances from outside, and who is held down. */
  readonly imported: StartedImports;
}

/** Builds it on the store. */
export function startModel(ground: Ground, { authority, jwt, revocations }: MeshIdentity): MeshModel {
  const { options, undo, trustDomain, events, store, leads } = ground;
  const { clock, metrics } = options;
  const { replication } = store;
  const registry = new Registry({
    clock,
    trustDomain,
    table: store.table<RegisteredWorkload>("workloads"),
    isProcessAlive,
    infrastructureOf: (namespace, gateways) => infrastructureOf(store, namespace, gateways),
    ...(replication === undefined ? {} : { replication }),
    ...given(options),
  });
  undo.push(() => registry.close());
  undo.push(followGateways(store, registry));
  const federation = new Federation({
    store,
    table: store.table<FederationRecord>("federation"),
    clock,
    trustDomain,
    ownRoots: () => authority.bundle().der,
    events,
    ...given(options),
  });
  undo.push(() => federation.close());
  const bundles = new BundleDirectory({
    authority,
    jwt,
    federation,
    table: store.table<BundleNumber>("bundle-numbers"),
    clock,
    leads,
    ...given(options),
  });
  undo.push(() => bundles.close());
  const resolver: HostResolver = new HostResolver({
    clock,
    onChanged: (host) => compiler.addressesChanged(host),
    isWanted: (host) => compiler.usesAddresses(host),
  });
  undo.push(() => resolver.close());
  const imported = startImports({ store, registry, clock, events, ...given(options) });
  undo.push(() => imported.close());
  const compiler: Compiler = new Compiler({
    imports: imported.imports,
    damper: imported.damper,
    addressesOf: (host) => resolver.addresses(host),
    store,
    registry,
    policyKinds,
    servicePolicyKinds,
    trustDomain,
    bundle: () => authority.bundle(),
    revocations: () => revocations.list(),
    federated: () => federation.bundles(),
    clock,
    onTrouble: tellTrouble(events, metrics),
    ...given(options),
  });
  undo.push(() => compiler.close());
  imported.connect(compiler);
  undo.push(federation.onChange(() => compiler.bundleChanged()));
  const conditions = new Conditions({
    store,
    compiler,
    clock,
    table: store.table<ConditionTimes>("conditions"),
    leads,
    ...given(options),
  });
  undo.push(() => conditions.close());
  return { registry, federation, bundles, compiler, conditions, imported };
}

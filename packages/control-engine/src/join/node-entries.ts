// Which identities the agent of a node may give to processes: the WorkloadIdentity resources that select processes.

import { parseDurationMs } from "@ripstop/core";
import { workloadSpiffeId } from "@ripstop/identity";
import type { NodeEntry } from "@ripstop/model";
import { resourceName, type Resource, type WorkloadIdentitySpec } from "@ripstop/resources";

import type { Store } from "../store/store.ts";
import { serviceAccountOf } from "./platform-tokens.ts";

/** An entry with what only the control plane needs. */
export interface IssuableEntry extends NodeEntry {
  /** Lifetime of its SVIDs; undefined for the mesh's default. */
  readonly ttlMs: number | undefined;
}

/** The entries of a node. */
export function entriesOf(store: Store, trustDomain: string, node: string): readonly IssuableEntry[] {
  const entries: IssuableEntry[] = [];
  for (const resource of store.list("WorkloadIdentity") as Iterable<Resource<WorkloadIdentitySpec>>) {
    const { process, nodes, ttl } = resource.spec;
    if (process === undefined || (nodes.length > 0 && !nodes.includes(node))) continue;
    const { namespace } = resource.metadata;
    const serviceAccount = serviceAccountOf(resource);
    const ttlMs = ttl === undefined ? undefined : parseDurationMs(ttl);
    entries.push({
      name: resourceName(resource),
      namespace,
      serviceAccount,
      spiffeId: workloadSpiffeId(trustDomain, namespace, serviceAccount),
      process,
      ttlMs: ttlMs?.ok === true ? ttlMs.value : undefined,
    });
  }
  return entries;
}

// Workloads by what others ask for them by: labels, service, namespace, Gateway.

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import type { WorkloadChange } from "../registry/registry.ts";
import { MultiMap } from "./multi-map.ts";
import { selects, type ServiceView } from "./service-view.ts";

/** As PolicyScope has it. */
export const ANY_GATEWAY = "*";

/** Indices over the registry. */
export class WorkloadIndex {
  /** "NS/KEY=VALUE" → workloads with that label. */
  readonly byLabel: MultiMap<RegisteredWorkload> = new MultiMap();
  /** "NS/SERVICE" → workloads that registered for it. */
  readonly byService: MultiMap<RegisteredWorkload> = new MultiMap();
  /** Namespace → workloads. */
  readonly byNamespace: MultiMap<RegisteredWorkload> = new MultiMap();
  /** "NS/GATEWAY" → workloads that host it; ANY_GATEWAY → all of them. */
  readonly placements: MultiMap<RegisteredWorkload> = new MultiMap();

  /** Takes a workload in, or out. */
  index(workload: RegisteredWorkload, add: boolean): void {
    const value = add ? workload : undefined;
    for (const label of labelKeys(workload)) this.byLabel.set(label, workload.id, value);
    this.byService.set(`${workload.namespace}/${workload.service}`, workload.id, value);
    for (const gateway of hostedBy(workload)) {
      this.placements.set(gateway, workload.id, value);
      this.placements.set(ANY_GATEWAY, workload.id, value);
    }
    this.byNamespace.set(workload.namespace, workload.id, value);
  }

  /** Those that a service selects, in the order of their ids; `withState`: readiness and address matter too. */
  members(service: ServiceView, withState: boolean, read: (dependency: string) => void): readonly RegisteredWorkload[] {
    const labels = Object.entries(service.selector).map(([key, value]) => labelKey(service.namespace, key, value));
    const [rarest] = labels.sort((a, b) => this.byLabel.count(a) - this.byLabel.count(b));
    if (rarest === undefined) return [];
    // Whoever the service selects has this label: no change of the set passes this name by.
    read(`${withState ? "state" : "members"}:${rarest}`);
    return this.byLabel.sorted(rarest).filter(({ labels: has }) => selects(service.selector, has));
  }

  /** Adds the names of the reads that a change affects. */
  affectedBy({ before, after }: WorkloadChange, affected: Set<string>): void {
    const onlyState = before !== undefined && after !== undefined && sameShape(before, after);
    if (onlyState && sameState(before, after)) return;
    for (const workload of [before, after]) {
      if (workload === undefined) continue;
      for (const gateway of hostedBy(workload)) affected.add(`placements:${gateway}`);
      for (const label of labelKeys(workload)) {
        affected.add(`state:${label}`);
        if (!onlyState) affected.add(`members:${label}`);
      }
      if (onlyState) continue;
      affected.add(`workload:${workload.id}`);
      affected.add(`service:${workload.namespace}/${workload.service}`);
      affected.add(`guards:${workload.id}`);
      // An implied service may come or go, and with it the answer to "which services select me" of its other workloads.
      for (const other of this.byService.get(`${workload.namespace}/${workload.service}`))
        affected.add(`guards:${other.id}`);
    }
  }
}

/** "NAMESPACE/NAME" of the Gateways that a workload hosts. */
export function hostedBy({ namespace, gateway }: RegisteredWorkload): readonly string[] {
  return (gateway?.names ?? []).map((name) => `${namespace}/${name}`);
}

/** Name of a label of the workloads of a namespace. */
export function labelKey(namespace: string, key: string, value: string): string {
  return `${namespace}/${key}=${value}`;
}

/** Names of all labels of a workload. */
export function labelKeys({ namespace, labels }: RegisteredWorkload): string[] {
  return Object.entries(labels).map(([key, value]) => labelKey(namespace, key, value));
}

/** Whether what clients may reach is as it was. */
function sameState(a: RegisteredWorkload, b: RegisteredWorkload): boolean {
  return (
    a.ready === b.ready &&
    a.inboundAddress === b.inboundAddress &&
    (a.closedPorts === b.closedPorts || JSON.stringify(a.closedPorts) === JSON.stringify(b.closedPorts))
  );
}

/** Whether nothing changed but readiness, addresses and certificate. */
function sameShape(a: RegisteredWorkload, b: RegisteredWorkload): boolean {
  const shape = ({
    inboundAddress: _address,
    ready: _ready,
    svidNotAfterMs: _svid,
    svidIssuedMs: _issued,
    svidSerialNumber: _serial,
    rootSha256: _root,
    registeredMs: _time,
    pid: _pid,
    closedPorts: _closed,
    ...rest
  }: RegisteredWorkload): string => JSON.stringify(rest);
  return shape(a) === shape(b);
}

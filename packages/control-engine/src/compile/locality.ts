// Where an instance is, by the labels that Kubernetes has for it.

import type { Locality } from "@ripstop/model";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";

/** Label of the region. */
export const REGION_LABEL = "topology.kubernetes.io/region";
/** Label of the zone. */
export const ZONE_LABEL = "topology.kubernetes.io/zone";

/** Undefined when the labels do not say. */
export function localityOf({ labels }: Pick<RegisteredWorkload, "labels">): Locality | undefined {
  const region = labels[REGION_LABEL] ?? "";
  const zone = labels[ZONE_LABEL] ?? "";
  return region === "" && zone === "" ? undefined : { region, zone };
}

// The status of an EndpointSource.

import type { EndpointSourceSpec, Resource, ServiceSpec } from "@ripstop/resources";

import type { ImportRecord } from "./import-follower.ts";

interface Verdict {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** The status by what is known of the source, and the Service that is to get the instances (undefined: not there). */
export function importStatus(
  { metadata, spec }: Resource<EndpointSourceSpec>,
  { instances, outcome, sinceMs, message, changedMs }: ImportRecord,
  service: Resource<ServiceSpec> | undefined,
): object {
  const held = instances.filter(({ missingSinceMs }) => missingSinceMs !== undefined).length;
  const observedGeneration = metadata.generation;
  const imported: Verdict =
    outcome === ""
      ? { status: "Unknown", reason: "Pending", message: "not answered yet" }
      : outcome === "failed"
        ? { status: "False", reason: "NotAnswered", message }
        : { status: "True", reason: held > 0 ? "LastSetKept" : "Imported", message };
  return {
    conditions: [
      {
        type: "Accepted",
        ...acceptance(spec, service),
        observedGeneration,
        lastTransitionTime: metadata.creationTimestamp,
      },
      { type: "Imported", ...imported, observedGeneration, lastTransitionTime: timeText(sinceMs) },
    ],
    instances: instances.length,
    ...(held === 0 ? {} : { heldInstances: held }),
    ...(changedMs === 0 ? {} : { changedAt: timeText(changedMs) }),
  };
}

function acceptance(spec: EndpointSourceSpec, service: Resource<ServiceSpec> | undefined): Verdict {
  const name = `${spec.service.namespace}/${spec.service.name}`;
  const refused = (reason: string, message: string): Verdict => ({ status: "False", reason, message });
  if (service === undefined) return refused("NoService", `there is no Service ${name}`);
  if (Object.keys(service.spec.selector).length > 0)
    return refused("HasSelector", `the Service ${name} selects workloads of the mesh`);
  if (spec.port !== undefined && !service.spec.ports.some(({ port }) => port === spec.port))
    return refused("NoPort", `the Service ${name} has no port ${spec.port}`);
  return { status: "True", reason: "Accepted", message: "" };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

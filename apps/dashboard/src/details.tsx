// What is known of the picked service or edge.

import type { Graph, MirrorView as Mirror, WorkloadView } from "@ripstop/model";
import type { ComponentChildren, JSX } from "preact";
import { duration, percent, short, shortName } from "./format.ts";
import { edgeId } from "./graph-view.tsx";
import { MirrorView } from "./mirror-view.tsx";
import type { Selection } from "./selection.ts";

/** The side panel; nothing when nothing is picked. */
export function Details({
  graph,
  workloads,
  mirrors,
  selection,
  onClose,
}: {
  readonly graph: Graph;
  readonly workloads: readonly WorkloadView[];
  readonly mirrors: readonly Mirror[];
  readonly selection: Selection;
  readonly onClose: () => void;
}): JSX.Element | null {
  if (!selection) return null;
  if (selection.kind === "edge") {
    const edge = graph.edges.find((candidate) => edgeId(candidate) === selection.id);
    if (!edge) return null;
    const versions = Object.entries(edge.byVersion).filter(([version]) => version !== "");
    const all = versions.reduce((sum, [, count]) => sum + count, 0);
    return (
      <Panel title={`${shortName(edge.source)} → ${shortName(edge.destination)}`} onClose={onClose}>
        <Row name="Protocol" value={edge.protocol} />
        <Row name="Encrypted" value={edge.mutualTls ? "mutual TLS 1.3" : "no"} />
        <Row
          name="Rate"
          value={`${short(edge.requestsPerSecond)} ${edge.protocol === "tcp" ? "connections" : "requests"}/s, ${short(edge.bytesPerSecond)} B/s`}
        />
        <Row name="Success" value={percent(edge.successRate)} />
        <Row name="Refused" value={`${short(edge.deniedPerSecond)}/s`} />
        {edge.p99Ms > 0 && <Row name="Latency" value={`p50 ${duration(edge.p50Ms)}, p99 ${duration(edge.p99Ms)}`} />}
        <Row
          name={edge.protocol === "tcp" ? "Connections" : "Requests"}
          value={edge.requestsTotal.toLocaleString("en")}
        />
        {all > 0 && versions.length > 1 && (
          <div class="split">
            {versions.map(([version, count]) => (
              <div key={version} style={{ flexGrow: count }}>
                {version} {percent(count / all)}
              </div>
            ))}
          </div>
        )}
      </Panel>
    );
  }
  const own = workloads.filter(
    (workload) => `${workload.namespace}/${workload.service}` === selection.id || workload.service === selection.id,
  );
  const callers = graph.edges.filter((edge) => edge.destination === selection.id);
  const callees = graph.edges.filter((edge) => edge.source === selection.id);
  return (
    <Panel
      title={shortName(selection.id)}
      onClose={onClose}
      below={<MirrorView mirrors={mirrors} service={selection.id} />}
    >
      {own.map((workload) => (
        <Row
          key={workload.id}
          name={workload.version || "instance"}
          value={`${workload.spiffeId.replace(/^spiffe:\/\/[^/]+/, "")} · ${workload.ready ? "ready" : "not ready"}`}
        />
      ))}
      {callers.map((edge) => (
        <Row
          key={edgeId(edge)}
          name={`← ${shortName(edge.source)}`}
          value={`${short(edge.requestsPerSecond)}/s · ${percent(edge.successRate)}`}
        />
      ))}
      {callees.map((edge) => (
        <Row
          key={edgeId(edge)}
          name={`→ ${shortName(edge.destination)}`}
          value={`${short(edge.requestsPerSecond)}/s · ${percent(edge.successRate)}`}
        />
      ))}
    </Panel>
  );
}

function Panel({
  title,
  onClose,
  below,
  children,
}: {
  readonly below?: ComponentChildren;
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <aside class="details" aria-live="off">
      <header>
        <h2>{title}</h2>
        <button type="button" onClick={onClose} aria-label="close">
          ×
        </button>
      </header>
      <dl>{children}</dl>
      {below}
    </aside>
  );
}

function Row({ name, value }: { readonly name: string; readonly value: string }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

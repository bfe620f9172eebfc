// The gauges of the control plane that are measured when somebody asks for the metrics.

import { metricNames, type Counter, type Gauge, type MetricName, type MetricRegistry } from "@ripstop/telemetry";

import type { Compiler } from "../compile/compiler.ts";
import type { IdentityWatch } from "../identity/identity-watch.ts";
import type { StartedImports } from "../imports/start-imports.ts";
import type { Joining } from "../join/start-joining.ts";
import type { Registry } from "../registry/registry.ts";
import type { Store } from "../store/store.ts";
import type { Collector } from "../telemetry/collector.ts";

/** What is measured. */
export interface Gauged {
  readonly metrics: MetricRegistry;
  readonly store: Store;
  readonly registry: Registry;
  readonly compiler: Compiler;
  readonly collector: Collector;
  readonly joining: Joining;
  readonly watch: IdentityWatch;
  readonly imported: StartedImports;
}

/** Sets the gauges whenever it is called. */
export function controlGauges(gauged: Gauged): () => void {
  const { metrics, store, registry, compiler, collector, joining, watch, imported } = gauged;
  const gauge = ({ name, help }: MetricName): Gauge => metrics.gauge(name, help);
  const counter = ({ name, help }: MetricName): Counter => metrics.counter(name, help);
  const revision = gauge(metricNames.STORE_REVISION);
  const workloads = gauge(metricNames.WORKLOADS);
  const held = gauge(metricNames.WORKLOADS_HELD);
  const joined = gauge(metricNames.IDENTITY_NODES);
  const computed = counter(metricNames.COMPILED);
  const remembered = gauge(metricNames.COMPILED_RESOURCES);
  const waiting = gauge(metricNames.COMPILE_WAITING);
  const tapsDropped = counter(metricNames.TAP_EVENTS_DROPPED);
  const edgesDropped = counter(metricNames.GRAPH_EDGES_DROPPED);
  return () => {
    revision.set(store.revision);
    workloads.set(registry.size);
    held.set(registry.held);
    joined.set(joining.nodes);
    computed.add(compiler.statistics.computed - computed.value);
    remembered.set(compiler.statistics.remembered);
    waiting.set(compiler.statistics.waiting);
    tapsDropped.add(collector.taps.dropped - tapsDropped.value);
    edgesDropped.add(collector.edgesDropped - edgesDropped.value);
    watch.measure();
    imported.measure(metrics);
  };
}

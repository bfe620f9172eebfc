// Wires what is imported and who is held down to the registry, the compiler, events and metrics.

import type { Clock } from "@ripstop/core";
import { metricNames, type Logger, type MetricRegistry } from "@ripstop/telemetry";

import type { Compiler } from "../compile/compiler.ts";
import { importedKey, workloadKey } from "../damping/damping-key.ts";
import { FlapDamper, type HeldRecord } from "../damping/flap-damper.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Registry } from "../registry/registry.ts";
import type { Store } from "../store/store.ts";
import type { ImportRecord } from "./import-follower.ts";
import { Imports, type ImportsOptions } from "./imports.ts";

/** What is needed. */
export interface StartImportsOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly logger?: Logger;
  /** Default: DNS and Consul. */
  readonly sourceOf?: NonNullable<ImportsOptions["sourceOf"]>;
}

/** The instances from outside, and the damper of all. */
export interface StartedImports {
  readonly imports: Imports;
  readonly damper: FlapDamper;
  /** Tells the compiler of every change from now on. */
  connect(compiler: Compiler): void;
  /** Brings the metrics up to date. */
  measure(metrics: MetricRegistry): void;
  close(): void;
}

/** Starts both. */
export function startImports({
  store,
  registry,
  clock,
  events,
  logger,
  sourceOf,
}: StartImportsOptions): StartedImports {
  const { replication } = store;
  const shared = { clock, events, replication, ...(logger === undefined ? {} : { logger }) };
  const damper = new FlapDamper({ ...shared, table: store.table<HeldRecord>("damping") });
  const imports = new Imports({
    ...shared,
    ...(sourceOf === undefined ? {} : { sourceOf }),
    store,
    table: store.table<ImportRecord>("imports"),
    onGone: (source, ids) => damper.wentAway(ids.map((id) => importedKey(source, id))),
  });
  const stop = registry.onChange((changes) => {
    const gone = changes.flatMap(({ before, after }) =>
      before?.ready === true && after?.ready !== true && before.ports.length > 0 ? [workloadKey(before)] : [],
    );
    if (gone.length > 0) damper.wentAway(gone);
  });
  return {
    imports,
    damper,
    connect(compiler) {
      imports.onChange((service) => compiler.importsChanged(service));
      damper.onChange((keys) => compiler.dampingChanged(keys, (source) => imports.serviceOf(source)));
    },
    measure(metrics) {
      const { IMPORT_SOURCES, IMPORTED_INSTANCES, IMPORT_FAILURES, INSTANCES_HELD_DOWN } = metricNames;
      metrics.gauge(IMPORT_SOURCES.name, IMPORT_SOURCES.help).set(imports.size);
      metrics.gauge(IMPORTED_INSTANCES.name, IMPORTED_INSTANCES.help).set(imports.instances);
      metrics.gauge(INSTANCES_HELD_DOWN.name, INSTANCES_HELD_DOWN.help).set(damper.size);
      const failures = metrics.counter(IMPORT_FAILURES.name, IMPORT_FAILURES.help);
      failures.add(imports.failures - failures.value);
    },
    close() {
      stop();
      imports.close();
      damper.close();
    },
  };
}

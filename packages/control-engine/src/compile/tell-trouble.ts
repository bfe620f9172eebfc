// Tells operators of namespaces that cost too much to compile and of resources that cannot be: as events and metrics.

import type { ErrorKind } from "@ripstop/core";
import { metricNames, type MetricRegistry } from "@ripstop/telemetry";

import { compiledTooLarge, compileFailed, compileOverBudget } from "../errors.ts";
import type { EventLog } from "../events/event-log.ts";
import type { CompileTrouble } from "./compiler.ts";

const kinds: Readonly<Record<CompileTrouble["kind"], { readonly error: ErrorKind; readonly type: string }>> = {
  "over-budget": { error: compileOverBudget, type: "CompileOverBudget" },
  failed: { error: compileFailed, type: "CompileFailed" },
  "too-large": { error: compiledTooLarge, type: "CompiledTooLarge" },
};

/** What `Compiler` calls with each trouble. One event a minute for each namespace and kind. */
export function tellTrouble(events: EventLog, metrics: MetricRegistry): (trouble: CompileTrouble) => void {
  const { name, help } = metricNames.COMPILE_TROUBLE;
  return ({ kind, namespace, message }) => {
    const { error, type } = kinds[kind];
    metrics.counter(name, help, { reason: kind }).add(1);
    events.addLimited({
      severity: "warning",
      type,
      subject: namespace === "" ? "mesh" : `namespace ${namespace}`,
      message: `${error.code}: ${message.slice(0, 512)}`,
    });
  };
}

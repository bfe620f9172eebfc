// A time-out in the metrics, and now and then in the log.

import type { ErrorKind } from "@ripstop/core";
import { metricNames } from "@ripstop/telemetry";
import type { Cluster } from "../6-balance/cluster.ts";
import type { Engine } from "../engine.ts";

/** Which time-out passed, and where. */
export interface TimeoutFacts {
  readonly kind: ErrorKind;
  readonly limitMs: number;
  /** "" when none was chosen. */
  readonly endpoint: string;
  /** "" when none matched. */
  readonly route: string;
}

/** Counts the time-out; writes it into the log unless one of this service was written just now. */
export function reportTimeout(engine: Engine, cluster: Cluster, facts: TimeoutFacts): void {
  const { kind, limitMs, endpoint, route } = facts;
  const { service } = cluster;
  const { name, help } = metricNames.TIMEOUTS;
  engine.metrics.counter(name, help, { service, timeout: kind.name }).add(1);
  const others = cluster.timeoutsToLog(engine.clock.monotonicMs());
  if (others < 0) return;
  engine.log.warn("time-out", { code: kind.code, timeout: kind.name, limitMs, service, endpoint, route, others });
}

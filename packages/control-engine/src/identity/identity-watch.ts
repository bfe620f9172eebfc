// Tells alarms about identity as events and as metrics: each alarm once when it begins, and again when it gets worse.

import type { Clock, Timer } from "@ripstop/core";
import type { IdentityHealth } from "@ripstop/model";
import { metricNames, type Gauge, type MetricName, type MetricRegistry } from "@ripstop/telemetry";

import type { EventLog } from "../events/event-log.ts";
import { expiryStep } from "./identity-health.ts";

/** What it needs. */
export interface IdentityWatchOptions {
  readonly clock: Clock;
  readonly events: EventLog;
  readonly metrics: MetricRegistry;
  readonly health: () => IdentityHealth;
  /** Number of workloads that hold a rotation up. */
  holding(): number;
}

const CHECK_MS = 10_000;

/** Looks every ten seconds. */
export class IdentityWatch {
  readonly #options: IdentityWatchOptions;
  readonly #timer: Timer;
  readonly #gauges: Readonly<Record<"root" | "sequence" | "holding" | "warning" | "critical", Gauge>>;
  #known = new Set<string>();

  constructor(options: IdentityWatchOptions) {
    this.#options = options;
    const gauge = ({ name, help }: MetricName, labels: Record<string, string> = {}): Gauge =>
      options.metrics.gauge(name, help, labels);
    this.#gauges = {
      root: gauge(metricNames.ROOT_EXPIRY),
      sequence: gauge(metricNames.BUNDLE_SEQUENCE),
      holding: gauge(metricNames.ROTATION_HOLDING),
      warning: gauge(metricNames.IDENTITY_ALARMS, { severity: "warning" }),
      critical: gauge(metricNames.IDENTITY_ALARMS, { severity: "critical" }),
    };
    this.#timer = options.clock.every(CHECK_MS, () => this.check());
    this.check();
  }

  /** Looks now. */
  check(): void {
    const { events, health } = this.#options;
    const found = health();
    const known = new Set<string>();
    for (const alarm of found.alarms) {
      const key = `${alarm.type} ${alarm.subject} ${alarm.severity} ${stepOf(alarm.type, found)}`;
      known.add(key);
      if (!this.#known.has(key)) events.add(alarm);
    }
    this.#known = known;
    this.#measure(found);
  }

  /** Brings the metrics up to date. */
  measure(): void {
    this.#measure(this.#options.health());
  }

  /** Stops looking. */
  close(): void {
    this.#timer.clear();
  }

  #measure(found: IdentityHealth): void {
    const signing = found.roots.find(({ use }) => use === "signing");
    this.#gauges.root.set(Math.floor((signing?.notAfterMs ?? 0) / 1000));
    this.#gauges.sequence.set(found.bundleSequence);
    this.#gauges.holding.set(this.#options.holding());
    this.#gauges.warning.set(found.alarms.filter(({ severity }) => severity === "warning").length);
    this.#gauges.critical.set(found.alarms.filter(({ severity }) => severity === "critical").length);
  }
}

/** An expiry is told anew at each step, though 60 and 14 days are both warnings. */
function stepOf(type: string, { roots, intermediates, nowMs }: IdentityHealth): number {
  const certificates = type === "RootExpiring" ? roots : type === "IntermediateExpiring" ? intermediates : [];
  return Math.max(0, ...certificates.map((one) => expiryStep(one.notBeforeMs, one.notAfterMs, nowMs)));
}

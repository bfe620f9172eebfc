// L1: metrics, logs, trace context.

export type { LogFields, Logger, LogLevel } from "./log.ts";
export type { Counter, Gauge, Histogram, Labels, MetricRegistry } from "./metrics.ts";

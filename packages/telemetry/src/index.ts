// L1: metrics, logs, trace context.

export { createLogger, logFormatFor, type LoggerOptions } from "./create-logger.ts";
export type { LogFields, Logger, LogLevel } from "./log.ts";
export { LogLinear } from "./log-linear.ts";
export type { Counter, Gauge, Histogram, Labels, MetricRegistry } from "./metrics.ts";
export * as metricNames from "./names.ts";
export type { MetricName } from "./names.ts";
export { RandomIds } from "./random-ids.ts";
export { sumMetrics } from "./sum-metrics.ts";
export { createMetricRegistry, type RegistryOptions } from "./registry.ts";
export {
  continueTrace,
  formatTraceparent,
  isTraceparent,
  nextTraceparent,
  type TraceContext,
} from "./trace-context.ts";

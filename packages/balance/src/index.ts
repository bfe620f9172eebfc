// L3: choosing endpoints. One file per picker, one shared test suite.

export { EndpointSet, NO_KEY, type BalanceSettings, type EndpointSetOptions, type RequestKey } from "./endpoint-set.ts";
export { EndpointState } from "./endpoint-state.ts";
export { hash32 } from "./hash32.ts";
export { LeastRequestPicker } from "./least-request-picker.ts";
export { MAX_TIERS, type LocalityOptions } from "./locality-levels.ts";
export { MaglevPicker } from "./maglev-picker.ts";
export { ORCA_BINARY_FIELD, ORCA_FIELD, parseLoadReport, type LoadReport } from "./orca-report.ts";
export { OutlierDetector, type OutlierOptions } from "./outlier-detector.ts";
export { PeakEwmaPicker } from "./peak-ewma-picker.ts";
export type { Picker, RandomSource } from "./picker.ts";
export { RetryBudget, type RetryBudgetOptions } from "./retry-budget.ts";
export { RingHashPicker } from "./ring-hash-picker.ts";
export { RoundRobinPicker } from "./round-robin-picker.ts";
export { WeightedPicker } from "./weighted-picker.ts";
export { CircuitBreaker, type CircuitLimits } from "./circuit-breaker.ts";
export { GradientLimiter, type GradientOptions } from "./gradient-limiter.ts";
export { LatencyQuantile } from "./latency-quantile.ts";

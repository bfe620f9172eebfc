// Metrics as slots of typed arrays, bound at config time: a count on the hot path is one array store.

/** Label names and values of one series. */
export type Labels = Readonly<Record<string, string>>;

/** A number that only grows. */
export interface Counter {
  add(amount: number): void;
  readonly value: number;
}

/** A number that goes up and down. */
export interface Gauge {
  set(value: number): void;
  add(amount: number): void;
  readonly value: number;
}

/** A distribution in log-linear buckets. */
export interface Histogram {
  /** Records one value in the metric's unit. */
  record(value: number): void;
  readonly count: number;
  readonly sum: number;
  /** Estimate of the value below which the share `q` (0 … 1) lies. */
  quantile(q: number): number;
}

/** Every metric of a process. Asking for the same name and labels again gives the same series. */
export interface MetricRegistry {
  counter(name: string, help: string, labels?: Labels): Counter;
  gauge(name: string, help: string, labels?: Labels): Gauge;
  histogram(name: string, help: string, labels?: Labels): Histogram;
  /** Prometheus text format 0.0.4. */
  render(): string;
}

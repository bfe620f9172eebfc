// The metric registry: series are slots of growable typed arrays; rendering walks them.

import { LogLinear, type LogLinearView } from "./log-linear.ts";
import type { Counter, Gauge, Histogram, Labels, MetricRegistry } from "./metrics.ts";

/** Settings of a registry. */
export interface RegistryOptions {
  /** Series per metric; further label sets share one series whose values are all "overflow". Default 2,000. */
  readonly maxSeriesPerMetric?: number;
}

type MetricType = "counter" | "gauge" | "histogram";
type Series = SlotSeries | HistogramSeries;

interface Metric {
  readonly type: MetricType;
  readonly help: string;
  /** By rendered labels. */
  readonly series: Map<string, Series>;
}

/** Values of all counters and gauges of a registry. */
class Slots {
  values = new Float64Array(256);
  used = 0;

  take(): number {
    if (this.used === this.values.length) {
      const grown = new Float64Array(this.values.length * 2);
      grown.set(this.values);
      this.values = grown;
    }
    return this.used++;
  }
}

class SlotSeries implements Counter, Gauge {
  readonly #slots: Slots;
  readonly #slot: number;

  constructor(slots: Slots) {
    this.#slots = slots;
    this.#slot = slots.take();
  }

  add(amount: number): void {
    this.#slots.values[this.#slot] = this.value + amount;
  }

  set(value: number): void {
    this.#slots.values[this.#slot] = value;
  }

  get value(): number {
    return this.#slots.values[this.#slot] ?? 0;
  }
}

class HistogramSeries implements Histogram {
  readonly #values = new LogLinear();

  record(value: number): void {
    this.#values.record(value);
  }

  get count(): number {
    return this.#values.count;
  }

  get sum(): number {
    return this.#values.sum;
  }

  quantile(q: number): number {
    return this.#values.quantile(q);
  }

  get view(): LogLinearView {
    return this.#values;
  }
}

/** Upper bounds that Prometheus sees; the inner buckets are much finer. */
const BOUNDS: readonly number[] = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000,
];
const OVERFLOW = "overflow";
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const MAX_LABEL_VALUE = 256;

/** A new, empty registry. */
export function createMetricRegistry(options: RegistryOptions = {}): MetricRegistry {
  return new Registry(options.maxSeriesPerMetric ?? 2_000);
}

class Registry implements MetricRegistry {
  readonly #metrics = new Map<string, Metric>();
  readonly #slots = new Slots();
  readonly #maxSeries: number;

  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries;
  }

  counter(name: string, help: string, labels: Labels = {}): Counter {
    return this.#slotSeries("counter", { name, help, labels });
  }

  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    return this.#slotSeries("gauge", { name, help, labels });
  }

  histogram(name: string, help: string, labels: Labels = {}): Histogram {
    const metric = this.#metric(name, help, "histogram");
    const key = this.#key(metric, labels);
    const known = metric.series.get(key);
    if (known instanceof HistogramSeries) return known;
    const made = new HistogramSeries();
    metric.series.set(key, made);
    return made;
  }

  render(): string {
    let text = "";
    for (const [name, { type, help, series }] of this.#metrics) {
      text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
      for (const [labels, one] of series) {
        if (one instanceof HistogramSeries) text += renderHistogram(name, labels, one.view);
        else text += `${name}${braces(labels)} ${formatNumber(one.value)}\n`;
      }
    }
    return text;
  }

  #slotSeries(
    type: "counter" | "gauge",
    { name, help, labels }: { readonly name: string; readonly help: string; readonly labels: Labels },
  ): SlotSeries {
    const metric = this.#metric(name, help, type);
    const key = this.#key(metric, labels);
    const known = metric.series.get(key);
    if (known instanceof SlotSeries) return known;
    const made = new SlotSeries(this.#slots);
    metric.series.set(key, made);
    return made;
  }

  #metric(name: string, help: string, type: MetricType): Metric {
    const known = this.#metrics.get(name);
    if (known) {
      if (known.type !== type) throw new Error(`metric ${name} is a ${known.type}, not a ${type}`);
      return known;
    }
    if (!NAME.test(name)) throw new Error(`malformed metric name ${JSON.stringify(name)}`);
    const made: Metric = { type, help, series: new Map() };
    this.#metrics.set(name, made);
    return made;
  }

  /** The rendered labels; those of the overflow series when the metric has too many. */
  #key(metric: Metric, labels: Labels): string {
    const key = renderLabels(labels);
    if (metric.series.size < this.#maxSeries || metric.series.has(key)) return key;
    const overflow: Record<string, string> = {};
    for (const name of Object.keys(labels)) overflow[name] = OVERFLOW;
    return renderLabels(overflow);
  }
}

function renderLabels(labels: Labels): string {
  let text = "";
  for (const name of Object.keys(labels).sort()) {
    if (!LABEL_NAME.test(name)) throw new Error(`malformed label name ${JSON.stringify(name)}`);
    text += `${text === "" ? "" : ","}${name}="${escapeLabel(labels[name] ?? "")}"`;
  }
  return text;
}

function escapeLabel(value: string): string {
  const bounded = value.length > MAX_LABEL_VALUE ? value.slice(0, MAX_LABEL_VALUE) : value;
  return bounded.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`)).replace(CONTROL, "?");
}

// eslint-disable-next-line no-control-regex -- control characters are what is to be found
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f]/g;

function escapeHelp(help: string): string {
  return help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
}

function braces(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}

function renderHistogram(name: string, labels: string, values: LogLinearView): string {
  const lead = labels === "" ? "" : `${labels},`;
  let text = "";
  for (const bound of BOUNDS) text += `${name}_bucket{${lead}le="${bound}"} ${values.countUpTo(bound)}\n`;
  text += `${name}_bucket{${lead}le="+Inf"} ${values.count}\n`;
  return `${text}${name}_sum${braces(labels)} ${formatNumber(values.sum)}\n${name}_count${braces(labels)} ${values.count}\n`;
}

// What is counted of the config streams, by type. Only types that are known become labels: a peer must not be able to
// grow the metrics.

import { resourceTypes } from "@ripstop/model";
import { metricNames, type Counter, type Gauge, type Histogram, type MetricRegistry } from "@ripstop/telemetry";

/** Counters of one endpoint; without a registry nothing is counted. */
export class DistributionMetrics {
  readonly #registry: MetricRegistry | undefined;
  readonly #connected: Gauge | undefined;
  readonly #counters = new Map<string, Counter>();
  readonly #propagation = new Map<string, Histogram>();

  constructor(registry: MetricRegistry | undefined) {
    this.#registry = registry;
    this.#connected = registry?.gauge("ripstop_config_streams", "Connected config streams");
  }

  /** Streams that are open now. */
  connected(streams: number): void {
    this.#connected?.set(streams);
  }

  /** Resources and removals in a response. */
  sent(typeUrl: string, resources: number, removed: number): void {
    this.#count("ripstop_config_resources_sent_total", "Resources sent to proxies", typeUrl, resources);
    this.#count("ripstop_config_removals_sent_total", "Removals sent to proxies", typeUrl, removed);
  }

  /** Resources that a proxy had already when it came back. */
  resumed(typeUrl: string, resources: number): void {
    const help = "Resources not sent again at a reconnect, because the proxy had them";
    this.#count("ripstop_config_resources_resumed_total", help, typeUrl, resources);
  }

  /** Resources that a proxy should have had and had not. */
  mended(typeUrl: string, resources: number): void {
    const { name, help } = metricNames.CONFIG_MENDED;
    this.#count(name, help, typeUrl, resources);
  }

  /** A response was refused. */
  rejected(typeUrl: string): void {
    this.#count("ripstop_config_rejected_total", "Responses that proxies refused", typeUrl, 1);
  }

  /** A change was acknowledged `ms` after it was made. */
  propagated(typeUrl: string, ms: number): void {
    let histogram = this.#propagation.get(typeUrl);
    if (histogram === undefined) {
      const { name, help } = metricNames.CONFIG_PROPAGATION;
      histogram = this.#registry?.histogram(name, help, { type: typeName(typeUrl) });
      // A type that is not known cannot change: there is no series that a peer could add.
      if (histogram !== undefined) this.#propagation.set(typeUrl, histogram);
    }
    histogram?.record(ms);
  }

  #count(name: string, help: string, typeUrl: string, amount: number): void {
    if (!this.#registry || amount === 0) return;
    const type = typeName(typeUrl);
    const key = `${name} ${type}`;
    let counter = this.#counters.get(key);
    if (!counter) this.#counters.set(key, (counter = this.#registry.counter(name, help, { type })));
    counter.add(amount);
  }
}

const names: ReadonlyMap<string, string> = new Map(resourceTypes.map((type) => [type.typeUrl, type.name]));

/** The short name of a type, as in labels and tables; "other" for one that is not known. */
export function typeName(typeUrl: string): string {
  return names.get(typeUrl) ?? "other";
}

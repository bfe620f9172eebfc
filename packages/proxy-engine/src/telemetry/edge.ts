// Counters of one direction between two services, bound at config time: what a request costs is a few additions.

import { telemetry } from "@ripstop/model";
import {
  metricNames,
  type Counter,
  type Histogram,
  type Labels,
  type MetricName,
  type MetricRegistry,
} from "@ripstop/telemetry";

/** Upper bounds of EdgeStats.latency_counts, in milliseconds; the last bucket is open. */
const BOUNDS_MS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/** Who talks to whom. */
export interface EdgeKey {
  readonly reporter: telemetry.EdgeStats_Reporter;
  readonly sourceService: string;
  readonly destinationService: string;
  readonly sourceIdentity: string;
  readonly destinationIdentity: string;
  readonly destinationVersion: string;
  readonly protocol: string;
  readonly mutualTls: boolean;
}

/** How a finished exchange is counted. */
export interface ExchangeOutcome {
  /** HTTP status; 0 when the client went away first, or for TCP. */
  readonly status: number;
  readonly failed: boolean;
  readonly denied: boolean;
  readonly latencyMs: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly retries: number;
}

/** One edge: deltas since the last report, and the Prometheus series. */
export class Edge {
  readonly key: EdgeKey;
  readonly #metrics: MetricRegistry;
  readonly #labels: Labels;
  /** By status class, made when the first such response comes. */
  readonly #byClass: (Counter | undefined)[] = [];
  readonly #duration: Histogram;
  readonly #requestBytes: Counter;
  readonly #responseBytes: Counter;
  #requests = 0;
  #failures = 0;
  #denied = 0;
  #bytesSent = 0;
  #bytesReceived = 0;
  #latencySumMs = 0;
  #retries = 0;
  #connections = 0;
  readonly #latencyCounts = new Uint32Array(BOUNDS_MS.length + 1);
  #touched = false;

  constructor(key: EdgeKey, metrics: MetricRegistry) {
    this.key = key;
    this.#metrics = metrics;
    this.#labels = {
      reporter: key.reporter === telemetry.EdgeStats_Reporter.SOURCE ? "source" : "destination",
      source: key.sourceService === "" ? key.sourceIdentity : key.sourceService,
      destination: key.destinationService,
      version: key.destinationVersion,
      protocol: key.protocol,
      mtls: key.mutualTls ? "true" : "false",
    };
    const { REQUEST_DURATION, REQUEST_BYTES, RESPONSE_BYTES, TCP_BYTES } = metricNames;
    const tcp = key.protocol === "tcp";
    this.#duration = metrics.histogram(REQUEST_DURATION.name, REQUEST_DURATION.help, {
      reporter: this.#labels["reporter"] ?? "",
      destination: key.destinationService,
    });
    this.#requestBytes = tcp ? this.#counter(TCP_BYTES, { direction: "sent" }) : this.#counter(REQUEST_BYTES, {});
    this.#responseBytes = tcp ? this.#counter(TCP_BYTES, { direction: "received" }) : this.#counter(RESPONSE_BYTES, {});
  }

  /** Counts one finished exchange. */
  record(outcome: ExchangeOutcome): void {
    this.#touched = true;
    this.#requests++;
    if (outcome.failed) this.#failures++;
    if (outcome.denied) this.#denied++;
    this.#bytesSent += outcome.bytesSent;
    this.#bytesReceived += outcome.bytesReceived;
    this.#retries += outcome.retries;
    const ms = outcome.latencyMs;
    this.#latencySumMs += ms;
    let bucket = 0;
    while (bucket < BOUNDS_MS.length && ms > (BOUNDS_MS[bucket] ?? Infinity)) bucket++;
    this.#latencyCounts[bucket] = (this.#latencyCounts[bucket] ?? 0) + 1;
    this.#countStatus(outcome.status);
    this.#requestBytes.add(outcome.bytesSent);
    this.#responseBytes.add(outcome.bytesReceived);
    if (outcome.retries > 0) this.#counter(metricNames.RETRIES, {}).add(outcome.retries);
    this.#duration.record(ms);
  }

  /** Counts a TCP connection that opened. */
  recordConnection(): void {
    this.#touched = true;
    this.#connections++;
    this.#countStatus(0);
  }

  /** Counts what a TCP connection carried, while it lives and at its end. */
  recordBytes(sent: number, received: number): void {
    this.#touched = true;
    this.#bytesSent += sent;
    this.#bytesReceived += received;
    this.#requestBytes.add(sent);
    this.#responseBytes.add(received);
  }

  /** Counts a TCP connection that was refused or failed. */
  recordRefused(denied: boolean): void {
    this.#touched = true;
    if (denied) this.#denied++;
    else this.#failures++;
  }

  #countStatus(status: number): void {
    const at = status >= 600 ? 0 : Math.floor(status / 100);
    let counter = this.#byClass[at];
    if (counter === undefined) {
      counter = this.#counter(metricNames.REQUESTS, { status: at === 0 ? "none" : `${at}xx` });
      this.#byClass[at] = counter;
    }
    counter.add(1);
  }

  #counter(name: MetricName, labels: Labels): Counter {
    return this.#metrics.counter(name.name, name.help, { ...this.#labels, ...labels });
  }

  /** What happened since the last call; undefined when nothing did. */
  take(): telemetry.EdgeStats | undefined {
    if (!this.#touched) return undefined;
    const { key } = this;
    const stats: telemetry.EdgeStats = {
      reporter: key.reporter,
      sourceService: key.sourceService,
      destinationService: key.destinationService,
      sourceIdentity: key.sourceIdentity,
      destinationIdentity: key.destinationIdentity,
      destinationVersion: key.destinationVersion,
      protocol: key.protocol,
      mutualTls: key.mutualTls,
      requests: this.#requests,
      failures: this.#failures,
      denied: this.#denied,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      latencySumUs: Math.round(this.#latencySumMs * 1000),
      latencyCounts: [...this.#latencyCounts],
      retries: this.#retries,
      connections: this.#connections,
    };
    this.#touched = false;
    this.#requests = 0;
    this.#failures = 0;
    this.#denied = 0;
    this.#bytesSent = 0;
    this.#bytesReceived = 0;
    this.#latencySumMs = 0;
    this.#retries = 0;
    this.#connections = 0;
    this.#latencyCounts.fill(0);
    return stats;
  }
}

const MAX_EDGES = 5_000;
/** Hosts outside the mesh that are told apart; their names are the clients' choice. */
const MAX_OUTSIDE = 256;
const OTHER = "other";

/** All edges of a proxy. */
export class EdgeTable {
  readonly #metrics: MetricRegistry;
  readonly #edges = new Map<string, Edge>();
  #outside = 0;

  constructor(metrics: MetricRegistry) {
    this.#metrics = metrics;
  }

  /** How many there are. */
  get size(): number {
    return this.#edges.size;
  }

  /**
   * The edge of `key`, the same object each time. Above 5,000 edges neither callers nor services are told apart, and
   * above 256 hosts outside the mesh these are not.
   */
  get(key: EdgeKey): Edge {
    const name = [
      key.reporter,
      key.sourceService,
      key.destinationService,
      key.sourceIdentity,
      key.destinationIdentity,
      key.destinationVersion,
      key.protocol,
      key.mutualTls,
    ].join("\n");
    let edge = this.#edges.get(name);
    if (edge === undefined) {
      // Services are "NAMESPACE/NAME"; anything else is a host name that a client made up.
      const service = key.destinationService;
      const isOutside = service !== "" && service !== OTHER && !service.includes("/");
      if (isOutside && this.#outside >= MAX_OUTSIDE) return this.get({ ...key, destinationService: OTHER });
      if (
        this.#edges.size >= MAX_EDGES &&
        (key.sourceService !== "" || key.sourceIdentity !== "" || key.destinationVersion !== "")
      ) {
        return this.get({ ...key, sourceService: "", sourceIdentity: "", destinationVersion: "" });
      }
      if (this.#edges.size >= MAX_EDGES && key.destinationService !== OTHER)
        return this.get({ ...key, destinationService: OTHER, destinationIdentity: "" });
      if (isOutside) this.#outside++;
      edge = new Edge(key, this.#metrics);
      this.#edges.set(name, edge);
    }
    return edge;
  }

  /** What happened on all edges since the last call. */
  take(): telemetry.EdgeStats[] {
    const taken: telemetry.EdgeStats[] = [];
    for (const edge of this.#edges.values()) {
      const stats = edge.take();
      if (stats !== undefined) taken.push(stats);
    }
    return taken;
  }
}

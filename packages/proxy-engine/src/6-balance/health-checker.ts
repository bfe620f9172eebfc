// Active health checks of one service's endpoints: at intervals with jitter, a few at a time, with thresholds both ways.

import type { Clock, Timer } from "@ripstop/core";
import type { HealthCheck, ServicePort } from "@ripstop/model";
import { startProbe, type Probe } from "./health-probe.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** What a checker needs of its cluster. */
export interface HealthCheckerOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  random(): number;
  endpoints(): readonly UpstreamEndpoint[];
  /** The port to check, 0 = the first. */
  port(port: number): ServicePort | undefined;
  /** Host name for requests. */
  readonly host: string;
  /** An endpoint is well, or not any more; `problem` is the last one. */
  onChecked(endpoint: UpstreamEndpoint, isWell: boolean, problem: string): void;
}

/** Checks under way at a time, of one service. */
const MAX_RUNNING = 16;
/** Part of the interval by which each is longer or shorter. */
const JITTER = 0.1;
const MIN_INTERVAL_MS = 100;
const LOOK_MS = 100;
/** First checks of newcomers are spread over this. */
const FIRST_MS = 1_000;

interface Checked {
  nextAtMs: number;
  /** In a row. */
  failures: number;
  successes: number;
  running: { readonly probe: Probe; readonly timer: Timer } | undefined;
}

/** Checks while it is open. */
export class HealthChecker {
  readonly #options: HealthCheckerOptions;
  readonly #check: HealthCheck;
  readonly #states = new Map<UpstreamEndpoint, Checked>();
  readonly #timer: Timer;
  #running = 0;

  constructor(check: HealthCheck, options: HealthCheckerOptions) {
    this.#check = check;
    this.#options = options;
    this.#timer = options.clock.every(LOOK_MS, () => this.#look());
  }

  /** Stops, and takes every endpoint for well. */
  close(): void {
    this.#timer.clear();
    for (const [endpoint, state] of this.#states) {
      this.#stop(state);
      endpoint.checkedHealthy = true;
    }
    this.#states.clear();
  }

  #look(): void {
    const now = this.#options.clock.monotonicMs();
    const current = new Set(this.#options.endpoints());
    for (const [endpoint, state] of this.#states) {
      if (current.has(endpoint)) continue;
      this.#stop(state);
      this.#states.delete(endpoint);
    }
    for (const endpoint of current) {
      let state = this.#states.get(endpoint);
      if (state === undefined) {
        const spreadMs = Math.min(FIRST_MS, this.#check.intervalMs) * this.#options.random();
        state = { nextAtMs: now + spreadMs, failures: 0, successes: 0, running: undefined };
        this.#states.set(endpoint, state);
      }
      // What the control plane calls not ready is not checked: it gets no requests either way.
      if (now < state.nextAtMs || state.running !== undefined || !endpoint.healthy) continue;
      if (this.#running >= MAX_RUNNING) return;
      this.#start(endpoint, state);
    }
  }

  #start(endpoint: UpstreamEndpoint, state: Checked): void {
    const { clock, host } = this.#options;
    const { check, timeoutMs } = this.#check;
    const port = this.#options.port(this.#check.port);
    if (check === undefined || port === undefined || endpoint.targetPort(port.port) === 0) return;
    this.#running++;
    const { port: servicePort, protocol } = port;
    const probe = startProbe({ endpoint, servicePort, protocol, host, timeoutMs, check }, (problem) =>
      this.#finish(endpoint, state, problem),
    );
    const timer = clock.after(timeoutMs, () => {
      probe.cancel();
      this.#finish(endpoint, state, `did not answer within ${timeoutMs} ms`);
    });
    state.running = { probe, timer };
  }

  #finish(endpoint: UpstreamEndpoint, state: Checked, problem: string): void {
    if (state.running === undefined) return;
    state.running.timer.clear();
    state.running = undefined;
    this.#running--;
    const { clock } = this.#options;
    const interval = Math.max(MIN_INTERVAL_MS, this.#check.intervalMs);
    state.nextAtMs = clock.monotonicMs() + interval * (1 + JITTER * (2 * this.#options.random() - 1));
    if (problem === "") {
      state.successes++;
      state.failures = 0;
    } else {
      state.failures++;
      state.successes = 0;
    }
    const { unhealthyThreshold, healthyThreshold } = this.#check;
    if (problem !== "" && endpoint.checkedHealthy && state.failures >= unhealthyThreshold)
      this.#options.onChecked(endpoint, false, problem);
    // A check that succeeds also is the probe of an endpoint that returns.
    else if (problem === "" && state.successes >= healthyThreshold && (!endpoint.checkedHealthy || endpoint.probing))
      this.#options.onChecked(endpoint, true, "");
  }

  #stop(state: Checked): void {
    if (state.running === undefined) return;
    state.running.probe.cancel();
    state.running.timer.clear();
    state.running = undefined;
    this.#running--;
  }
}

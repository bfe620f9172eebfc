// A service under load in simulated time: callers that balance with the very endpoint sets of the proxy, and servers with
// workers, a queue and a temper. Same seed, same result, to the last request.

import {
  EndpointSet,
  EndpointState,
  LeastRequestPicker,
  OutlierDetector,
  PeakEwmaPicker,
  RoundRobinPicker,
  type LocalityOptions,
  type Picker,
} from "@ripstop/balance";
import { EventQueue } from "./event-queue.ts";
import { seededRandom } from "./random.ts";

/** How callers balance. */
export type Strategy = "round robin" | "least request" | "peak EWMA" | "adaptive";

/** One server; what a change may set anew. */
export interface ServerSpec {
  readonly zone?: string;
  /** Requests that it works on at a time; more wait. Default 4. */
  readonly workers?: number;
  /** Mean time that it works on a request. Default 10. */
  readonly workMs?: number;
  /** Share of requests that it fails. Default 0. */
  readonly failShare?: number;
  /** A failure takes this long. Default 2. */
  readonly failMs?: number;
  /** The control plane calls it ready. Default true. */
  readonly ready?: boolean;
}

/** A group of callers that are alike. */
export interface CallerSpec {
  readonly count: number;
  readonly zone?: string;
  /** Requests a second of the whole group. */
  readonly rps: number;
}

/** What is simulated. */
export interface Scenario {
  readonly seed: number;
  readonly seconds: number;
  readonly servers: readonly ServerSpec[];
  readonly callers: readonly CallerSpec[];
  /** Time on the way, there and back, within a zone and to another one. Default 0.5 and 0.5. */
  readonly wayMs?: { readonly near: number; readonly far: number };
  /** Changes of servers, by their positions. */
  readonly changes?: readonly { readonly atS: number; readonly server: number; readonly to: ServerSpec }[];
  /** Servers report their load (ORCA). Default false. */
  readonly reports?: boolean;
  /** Callers prefer their zone, but for round robin. */
  readonly locality?: Pick<LocalityOptions, "maxInflight" | "targetUtilization">;
}

/** One request that is over. */
export interface Outcome {
  readonly startedMs: number;
  readonly tookMs: number;
  readonly failed: boolean;
  readonly server: number;
  readonly sameZone: boolean;
}

const REGION = "r";

/** Runs a scenario; the outcomes in the order in which the requests ended. */
export function simulate(scenario: Scenario, strategy: Strategy): Outcome[] {
  const random = seededRandom(scenario.seed);
  const queue = new EventQueue();
  const outcomes: Outcome[] = [];
  const servers = scenario.servers.map((spec) => new Server(spec, queue, random));
  const endMs = scenario.seconds * 1000;
  const callers: Caller[] = [];
  for (const spec of scenario.callers) {
    for (let at = 0; at < spec.count; at++) {
      const caller = new Caller({ scenario, spec, strategy, servers, queue, random, outcomes });
      callers.push(caller);
      caller.start(endMs);
    }
  }
  for (const { atS, server, to } of scenario.changes ?? []) {
    queue.at(atS * 1000, (nowMs) => {
      servers[server]?.change(to);
      for (const caller of callers) caller.serversChanged(nowMs);
    });
  }
  queue.runUntil(endMs);
  return outcomes;
}

function pickerOf(strategy: Strategy, random: () => number): () => Picker {
  switch (strategy) {
    case "round robin":
      return () => new RoundRobinPicker();
    case "least request":
      return () => new LeastRequestPicker(random);
    case "peak EWMA":
    case "adaptive":
      return () => new PeakEwmaPicker(random);
  }
}

function exponential(mean: number, random: () => number): number {
  return -mean * Math.log(1 - random());
}

interface CallerParts {
  readonly scenario: Scenario;
  readonly spec: CallerSpec;
  readonly strategy: Strategy;
  readonly servers: readonly Server[];
  readonly queue: EventQueue;
  readonly random: () => number;
  readonly outcomes: Outcome[];
}

/** One proxy with the application that calls through it. */
class Caller {
  readonly #parts: CallerParts;
  readonly #set: EndpointSet<EndpointState>;
  readonly #endpoints: readonly EndpointState[];

  constructor(parts: CallerParts) {
    this.#parts = parts;
    const { scenario, spec, strategy, servers, random } = parts;
    this.#set = new EndpointSet<EndpointState>({
      picker: pickerOf(strategy, random),
      // Ejection is switched off: what is shown is what balancing does by itself.
      outliers: new OutlierDetector({ afterFailures: Infinity, baseMs: 1, maxMs: 1, maxShare: 0 }),
      random,
    });
    this.#set.configure(
      {
        adaptive: strategy === "adaptive",
        ...(scenario.locality === undefined || strategy === "round robin"
          ? {}
          : { locality: { ...scenario.locality, region: REGION, zone: spec.zone ?? "" } }),
      },
      0,
    );
    this.#endpoints = servers.map((server, at) => {
      const endpoint = new EndpointState(`server-${at}`, 1, server.spec.ready ?? true);
      endpoint.zone = server.spec.zone ?? "";
      endpoint.region = REGION;
      return endpoint;
    });
    this.#set.replace(this.#endpoints, 0);
  }

  start(endMs: number): void {
    const { spec, queue, random } = this.#parts;
    const meanGapMs = (1000 * spec.count) / spec.rps;
    const next = (nowMs: number): void => {
      if (nowMs > endMs) return;
      this.#send(nowMs);
      queue.at(nowMs + exponential(meanGapMs, random), next);
    };
    queue.at(exponential(meanGapMs, random), next);
  }

  serversChanged(nowMs: number): void {
    for (const [at, endpoint] of this.#endpoints.entries())
      endpoint.healthy = this.#parts.servers[at]?.spec.ready ?? true;
    this.#set.replace(this.#endpoints, nowMs);
  }

  #send(nowMs: number): void {
    const { scenario, spec, servers, queue, outcomes } = this.#parts;
    const endpoint = this.#set.pick(nowMs, []);
    const at = endpoint === undefined ? -1 : this.#endpoints.indexOf(endpoint);
    const server = servers[at];
    if (endpoint === undefined || server === undefined) return;
    const { near, far } = scenario.wayMs ?? { near: 0.5, far: 0.5 };
    const sameZone = (server.spec.zone ?? "") === (spec.zone ?? "");
    const wayMs = (sameZone ? near : far) / 2;
    endpoint.inflight++;
    queue.at(nowMs + wayMs, (arrivedMs) =>
      server.serve(arrivedMs, (doneMs, failed) =>
        queue.at(doneMs + wayMs, (backMs) => {
          endpoint.inflight--;
          const tookMs = backMs - nowMs;
          endpoint.recordLatency(tookMs, backMs, failed);
          if (failed) this.#set.recordFailure(endpoint, backMs);
          else this.#set.recordSuccess(endpoint, backMs);
          if (scenario.reports === true) endpoint.recordLoad(server.load(backMs), backMs);
          outcomes.push({ startedMs: nowMs, tookMs, failed, server: at, sameZone });
        }),
      ),
    );
  }
}

type Done = (nowMs: number, failed: boolean) => void;

/** Workers and a queue. */
class Server {
  spec: ServerSpec;
  readonly #queue: EventQueue;
  readonly #random: () => number;
  readonly #waiting: Done[] = [];
  #working = 0;
  /** Moving averages over about a second: share of busy workers, and requests a second. */
  #utilization = 0;
  #rps = 0;
  #seenMs = 0;

  constructor(spec: ServerSpec, queue: EventQueue, random: () => number) {
    this.spec = spec;
    this.#queue = queue;
    this.#random = random;
  }

  change(to: ServerSpec): void {
    this.spec = { ...this.spec, ...to };
  }

  serve(nowMs: number, done: Done): void {
    const { failShare = 0, failMs = 2 } = this.spec;
    this.#look(nowMs);
    this.#rps += 1;
    if (failShare > 0 && this.#random() < failShare) {
      this.#queue.at(nowMs + failMs, (atMs) => done(atMs, true));
      return;
    }
    this.#waiting.push(done);
    this.#work(nowMs);
  }

  load(nowMs: number): { readonly utilization: number; readonly rps: number } {
    this.#look(nowMs);
    return { utilization: this.#utilization, rps: this.#rps };
  }

  #look(nowMs: number): void {
    const keep = Math.exp(-(nowMs - this.#seenMs) / 1000);
    this.#seenMs = nowMs;
    this.#utilization += (this.#working / (this.spec.workers ?? 4) - this.#utilization) * (1 - keep);
    this.#rps *= keep;
  }

  #work(nowMs: number): void {
    while (this.#waiting.length > 0 && this.#working < (this.spec.workers ?? 4)) {
      const done = this.#waiting.shift();
      if (done === undefined) return;
      this.#look(nowMs);
      this.#working++;
      this.#queue.at(nowMs + exponential(this.spec.workMs ?? 10, this.#random), (atMs) => {
        this.#look(atMs);
        this.#working--;
        this.#work(atMs);
        done(atMs, false);
      });
    }
  }
}

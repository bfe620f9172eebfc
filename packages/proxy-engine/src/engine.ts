// What all stages of one proxy share.

import type { Clock } from "@ripstop/core";
import { RequestHead } from "@ripstop/http";
import type { FlushScheduler, TimerWheel } from "@ripstop/net";
import type { Logger, MetricRegistry, RandomIds } from "@ripstop/telemetry";
import type { MirrorTable } from "./mirror/mirror-table.ts";
import type { EdgeTable } from "./telemetry/edge.ts";
import type { TelemetryReporter } from "./telemetry/telemetry-reporter.ts";

/** The shared parts. One object a proxy. */
export interface Engine {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  /** Coarse timers of exchanges and connections. */
  readonly wheel: TimerWheel;
  /** Writes HTTP/2 output once per event-loop turn. */
  readonly flush: FlushScheduler;
  readonly edges: EdgeTable;
  readonly reporter: TelemetryReporter;
  /** How mirrors compare with their services. */
  readonly mirrors: MirrorTable;
  readonly ids: RandomIds;
  readonly heads: HeadPool;
  readonly live: LiveCounts;
  /** Raw connections through which nothing passes end after this time; 0 = never. */
  readonly tunnelIdleMs: number;
  /** Numbers in [0, 1). */
  readonly random: () => number;
}

/** What is open now; all zero when nothing is under way. */
export interface LiveCounts {
  exchanges: number;
  tunnels: number;
  /** Copies of requests on their way to mirrors. */
  mirrors: number;
}

const MAX_POOLED = 256;

/** Request heads that are reused from exchange to exchange. */
export class HeadPool {
  readonly #free: RequestHead[] = [];

  /** A cleared head. Give it back by `release`. */
  take(): RequestHead {
    return this.#free.pop() ?? new RequestHead();
  }

  release(head: RequestHead): void {
    if (this.#free.length >= MAX_POOLED) return;
    head.clear();
    this.#free.push(head);
  }
}

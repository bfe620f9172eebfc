// Turns counters into a ProxyReport every second, and shows live requests to the taps that are open.
// The transport is injected; telemetry that cannot be sent never disturbs traffic.

import type { Clock, Timer } from "@ripstop/core";
import type { telemetry } from "@ripstop/model";
import type { EdgeTable } from "./edge.ts";

/** Sends reports; false when the stream is not open or slow. */
export type ReportSink = (report: telemetry.ProxyReport) => boolean;

/** What the reporter needs. */
export interface TelemetryReporterOptions {
  readonly clock: Clock;
  readonly edges: EdgeTable;
  readonly send: ReportSink;
  /** Facts of the process at this moment. */
  readonly stats: () => telemetry.ProxyStats;
  /** Demand for shared limits in the last `elapsedMs`; default none. */
  readonly demands?: (elapsedMs: number) => telemetry.LimitDemand[];
  /** How mirrors compared since the last time; default none. */
  readonly mirrors?: () => telemetry.MirrorStats[];
  /** Hosts outside that were called since the last time; default none. */
  readonly egress?: () => telemetry.EgressSeen[];
}

const REPORT_MS = 1_000;
const TAP_FLUSH_MS = 100;
const TAP_QUEUE = 1_000;
const TAP_DEFAULT_PER_SECOND = 100;
const MAX_TAPS = 32;

interface OpenTap {
  readonly request: telemetry.TapRequest;
  left: number;
}

/** Reports while it is not closed. */
export class TelemetryReporter {
  readonly #options: TelemetryReporterOptions;
  readonly #timer: Timer;
  #taps: OpenTap[] = [];
  #events: telemetry.TapEvent[] = [];
  #dropped = 0;
  #flush: Timer | undefined;
  #demandsAtMs: number;

  constructor(options: TelemetryReporterOptions) {
    this.#options = options;
    this.#demandsAtMs = options.clock.monotonicMs();
    this.#timer = options.clock.every(REPORT_MS, () => this.#everySecond());
  }

  /** Whether any tap is open: only then are events built. */
  get tapping(): boolean {
    return this.#taps.length > 0;
  }

  /** Replaces the open taps. */
  onCommand(command: Pick<telemetry.ProxyCommand, "taps">): void {
    this.#taps = command.taps
      .slice(0, MAX_TAPS)
      .map((request) => ({ request, left: request.maxPerSecond || TAP_DEFAULT_PER_SECOND }));
  }

  /** Shows a finished request to the taps that ask for it. */
  record(event: telemetry.TapEvent): void {
    let wanted = false;
    for (const tap of this.#taps) {
      if (!matches(tap.request, event)) continue;
      if (tap.left <= 0) {
        this.#dropped++;
        continue;
      }
      tap.left--;
      wanted = true;
    }
    if (!wanted) return;
    if (this.#events.length >= TAP_QUEUE) {
      this.#dropped++;
      return;
    }
    this.#events.push(event);
    this.#flush ??= this.#options.clock.after(TAP_FLUSH_MS, () => {
      this.#flush = undefined;
      this.#send({ edges: [] });
    });
  }

  /** Sends what is left and stops. */
  close(): void {
    this.#timer.clear();
    this.#flush?.clear();
    this.#send({ edges: this.#options.edges.take() });
  }

  #everySecond(): void {
    for (const tap of this.#taps) tap.left = tap.request.maxPerSecond || TAP_DEFAULT_PER_SECOND;
    const nowMs = this.#options.clock.monotonicMs();
    const demands = this.#options.demands?.(Math.max(1, nowMs - this.#demandsAtMs)) ?? [];
    this.#demandsAtMs = nowMs;
    const seen = this.#options.egress?.() ?? [];
    const stats = this.#options.mirrors?.() ?? [];
    this.#send({
      edges: this.#options.edges.take(),
      limits: { demands },
      ...(seen.length === 0 ? {} : { egress: { seen } }),
      ...(stats.length === 0 ? {} : { mirrors: { stats } }),
    });
  }

  #send(parts: Partial<telemetry.ProxyReport>): void {
    const report: telemetry.ProxyReport = {
      edges: [],
      ...parts,
      taps: this.#events,
      tapsDropped: this.#dropped,
      proxy: this.#options.stats(),
    };
    this.#events = [];
    if (this.#options.send(report)) this.#dropped = 0;
    else this.#dropped += report.taps.length;
  }
}

function matches(tap: telemetry.TapRequest, event: telemetry.TapEvent): boolean {
  if (tap.sourceService !== "" && tap.sourceService !== event.sourceService) return false;
  if (tap.destinationService !== "" && tap.destinationService !== event.destinationService) return false;
  if (tap.pathPrefix !== "" && !event.path.startsWith(tap.pathPrefix)) return false;
  return event.status >= tap.minStatus;
}

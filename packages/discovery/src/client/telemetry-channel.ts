// The proxy's telemetry stream: reports out, commands in. Never holds up traffic: bounded, the oldest report is dropped.

import { Backoff, type Clock, type Timer } from "@ripstop/core";
import { telemetry } from "@ripstop/model";
import type { Counter, Logger, MetricRegistry } from "@ripstop/telemetry";

import type { SessionUser } from "./control-connection.ts";
import type { ControlSession } from "./control-session.ts";
import { GrpcStream } from "./grpc-stream.ts";

/** Sends reports and hears commands. */
export interface TelemetryChannel {
  /** Queues a report; when the control plane is away or slow, the oldest queued one is dropped and counted. */
  send(report: telemetry.ProxyReport): void;
  /** Called with every command; set before the first one is expected. */
  onCommand: ((command: telemetry.ProxyCommand) => void) | undefined;
  /** Reports dropped so far. */
  readonly dropped: number;
}

/** What the stream needs from its surroundings. */
export interface TelemetryStreamOptions {
  readonly proxyId: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly metrics?: MetricRegistry;
}

const PATH = "/ripstop.telemetry.v1.TelemetryService/Report";
const MAX_QUEUED = 32;
const MAX_REPORT_BYTES = 4 * 1024 * 1024;

/** TelemetryChannel over one session at a time. */
export class TelemetryStream implements TelemetryChannel, SessionUser {
  onCommand: ((command: telemetry.ProxyCommand) => void) | undefined;
  readonly #options: TelemetryStreamOptions;
  readonly #droppedCounter: Counter | undefined;
  readonly #queue: Uint8Array[] = [];
  readonly #backoff: Backoff = new Backoff({ initialMs: 1_000, maxMs: 30_000 });
  #dropped = 0;
  #stream: GrpcStream | undefined;
  #retry: Timer | undefined;
  #isFull = false;

  constructor(options: TelemetryStreamOptions) {
    this.#options = options;
    const help = "Telemetry reports dropped, because the control plane was away or slow";
    this.#droppedCounter = options.metrics?.counter("ripstop_telemetry_reports_dropped_total", help);
  }

  get dropped(): number {
    return this.#dropped;
  }

  send(report: telemetry.ProxyReport): void {
    const bytes = telemetry.ProxyReport.encode(report).finish();
    if (bytes.length > MAX_REPORT_BYTES) {
      this.#drop();
      return;
    }
    this.#queue.push(bytes);
    if (this.#queue.length > MAX_QUEUED) {
      this.#queue.shift();
      this.#drop();
    }
    this.#flush();
  }

  onSession(session: ControlSession): void {
    const stream: GrpcStream = new GrpcStream(
      session,
      PATH,
      { "ripstop-proxy-id": this.#options.proxyId },
      {
        onMessage: (bytes) => {
          this.#backoff.reset();
          this.onCommand?.(telemetry.ProxyCommand.decode(bytes));
        },
        onDrain: () => {
          this.#isFull = false;
          this.#flush();
        },
        onEnd: (status, message) => {
          if (this.#stream !== stream) return;
          this.#stream = undefined;
          this.#options.logger?.warn("telemetry stream ended", { status, cause: message });
          // The config stream on the same session may well go on: only this one is opened again.
          this.#retry = this.#options.clock.after(this.#backoff.next(), () => {
            if (!session.over) this.onSession(session);
          });
        },
      },
    );
    this.#stream = stream;
    this.#isFull = false;
    this.#flush();
  }

  onSessionLost(): void {
    this.#retry?.clear();
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.close();
  }

  #flush(): void {
    while (this.#stream && !this.#isFull) {
      const bytes = this.#queue.shift();
      if (!bytes) return;
      this.#isFull = !this.#stream.send(bytes);
    }
  }

  #drop(): void {
    this.#dropped++;
    this.#droppedCounter?.add(1);
  }
}

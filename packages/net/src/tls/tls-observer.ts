// Counts handshakes by result and reason, and logs each reason for refusing now and then.

import type { Clock } from "@ripstop/core";
import { metricNames, type Counter, type Logger, type MetricRegistry } from "@ripstop/telemetry";

/** A refused or failed handshake. */
export interface TlsRefusal {
  /** snake_case, of a small fixed set. */
  readonly reason: string;
  /** In plain words. */
  readonly message: string;
  /** Which side this process was. */
  readonly side: "client" | "server";
  /** "host:port" of the peer. */
  readonly peer: string;
}

/** Hears the outcome of every handshake. */
export interface TlsObserver {
  accepted(side: "client" | "server", resumed: boolean): void;
  refused(refusal: TlsRefusal): void;
}

const LOG_PERIOD_MS = 10_000;
const MAX_REASONS = 64;

/** An observer that counts in `registry` and logs each reason at most every ten seconds with the number left out. */
export function createTlsObserver(registry: MetricRegistry, logger: Logger, clock: Clock): TlsObserver {
  const { name, help } = metricNames.TLS_HANDSHAKES;
  const lastLogMs = new Map<string, { atMs: number; leftOut: number }>();
  const accepted = new Map<string, Counter>();
  return {
    accepted(side, resumed) {
      // Found once: to find a series by its labels costs more than the rest of the bookkeeping.
      const key = resumed ? `${side} resumed` : side;
      let counter = accepted.get(key);
      if (!counter) {
        counter = registry.counter(name, help, { side, result: resumed ? "resumed" : "full", reason: "" });
        accepted.set(key, counter);
      }
      counter.add(1);
    },
    refused({ reason, message, side, peer }) {
      registry.counter(name, help, { side, result: "refused", reason }).add(1);
      const key = `${side} ${reason}`;
      const nowMs = clock.monotonicMs();
      const last = lastLogMs.get(key);
      if (last && nowMs - last.atMs < LOG_PERIOD_MS) {
        last.leftOut++;
        return;
      }
      if (!last && lastLogMs.size >= MAX_REASONS) return;
      logger.warn("TLS handshake refused", { side, reason, message, peer, similar: last?.leftOut ?? 0 });
      lastLogMs.set(key, { atMs: nowMs, leftOut: 0 });
    },
  };
}

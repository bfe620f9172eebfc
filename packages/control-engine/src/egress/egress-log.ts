// What workloads called outside the mesh: without an ExternalService that declares it (the list to write them from), and
// through Gateways.

import type { Clock } from "@ripstop/core";
import type { EgressSeenView, telemetry } from "@ripstop/model";

import { serviceOf, type RegisteredWorkload } from "../registry/registered-workload.ts";

/** What the log asks. */
export interface EgressLogOptions {
  readonly clock: Clock;
  workload(id: string): RegisteredWorkload | undefined;
  /** Most entries; default 10 000. Beyond, the one that was silent longest is dropped. */
  readonly maxEntries?: number;
}

const MAX_HOST = 253;
const MAX_SOURCE = 2_048;
const MAX_PER_REPORT = 1_000;

function isPlacement({ namespace, gateway }: RegisteredWorkload, name: string): boolean {
  return gateway?.names.some((own) => `${namespace}/${own}` === name) === true;
}

/** Entries by service and destination, since the control plane started. */
export class EgressLog {
  readonly #options: EgressLogOptions;
  /** In the order of their last use. */
  readonly #entries = new Map<string, EgressSeenView>();

  constructor(options: EgressLogOptions) {
    this.#options = options;
  }

  /** Takes what an authenticated proxy reports about its own workloads. */
  onReport(report: telemetry.ProxyReport): void {
    const nowMs = this.#options.clock.nowMs();
    for (const seen of (report.egress?.seen ?? []).slice(0, MAX_PER_REPORT)) {
      const { workload: id, host, port, protocol, count, denied, gateway = "", source = "" } = seen;
      const workload = this.#options.workload(id);
      if (workload === undefined || host === "" || host.length > MAX_HOST) continue;
      // Only the proxy of a Gateway may say who called through it.
      const led = gateway !== "";
      if (led && (!isPlacement(workload, gateway) || source === "" || source.length > MAX_SOURCE)) continue;
      const service = led ? source : serviceOf(workload);
      const known = protocol === "http" ? "http" : "tcp";
      const key = JSON.stringify([service, host, port, known, gateway]);
      const before = this.#entries.get(key);
      this.#entries.delete(key);
      this.#entries.set(key, {
        service,
        host,
        port,
        protocol: known,
        count: (before?.count ?? 0) + count,
        denied: (before?.denied ?? 0) + denied,
        ...(led ? { gateway } : {}),
        firstSeenMs: before?.firstSeenMs ?? nowMs,
        lastSeenMs: nowMs,
      });
    }
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= (this.#options.maxEntries ?? 10_000)) break;
      this.#entries.delete(oldest);
    }
  }

  /** All entries, by service, host and port; then those that went directly, then by Gateway. */
  list(): readonly EgressSeenView[] {
    return [...this.#entries.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  }
}

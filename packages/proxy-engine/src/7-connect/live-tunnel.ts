// A raw connection through the proxy while it lives: its bytes are counted as they pass, its end is shown to taps.

import type { CloseCause, Conn } from "@ripstop/net";
import type { Engine } from "../engine.ts";
import type { Edge } from "../telemetry/edge.ts";
import { tapConnection } from "../telemetry/record-connection.ts";
import type { HopEnd } from "../telemetry/record-exchange.ts";
import { Splice, type SpliceEvents } from "./splice.ts";

/** The hop by which a tunnel came to this proxy from another one of the mesh. */
export interface EnteredBy extends HopEnd {
  readonly edge: Edge;
  /** Judges the tunnel again; false when it is refused now. */
  readonly recheck: () => boolean;
}

/** What is known of a tunnel besides its two ends. */
export interface TunnelFacts {
  readonly engine: Engine;
  readonly edge: Edge;
  /** Where live tunnels are kept. */
  readonly registry: Set<LiveTunnel>;
  readonly authority: string;
  readonly workload: string;
  readonly tlsVersion: string;
  /** Judges the tunnel again; false when it is refused now. Undefined when nothing guards it. */
  readonly recheck: (() => boolean) | undefined;
  /** Counted and shown beside the hop that begins here; absent where there is only one. */
  readonly entered?: EnteredBy | undefined;
}

/** Joins two connections until both are gone. */
export class LiveTunnel implements SpliceEvents {
  readonly #facts: TunnelFacts;
  readonly #splice: Splice;
  readonly #startedMs: number;
  #sent = 0;
  #received = 0;
  /** When something passed, as of the last look. */
  #lastMs: number;
  /** Why this proxy ended it; "" when it did not. */
  #brokenBy = "";
  #ended = false;

  /** `client` is the side that asked. */
  constructor(client: Conn, server: Conn, facts: TunnelFacts) {
    this.#facts = facts;
    this.#startedMs = facts.engine.clock.monotonicMs();
    this.#lastMs = this.#startedMs;
    facts.engine.live.tunnels++;
    facts.edge.recordConnection();
    facts.entered?.edge.recordConnection();
    facts.registry.add(this);
    this.#splice = new Splice(client, server, this);
  }

  /** Bytes that were read from the client before and are written to the server already. */
  countEarly(sent: number, received: number): void {
    this.#splice.sentBytes += sent;
    this.#splice.receivedBytes += received;
  }

  /** Counts, and ends a tunnel through which nothing passed for `tunnelIdleMs`. Called once a second. */
  check(nowMs: number): void {
    if (this.#countBytes()) {
      this.#lastMs = nowMs;
      return;
    }
    this.#splice.rest();
    const { tunnelIdleMs } = this.#facts.engine;
    if (tunnelIdleMs === 0 || nowMs - this.#lastMs < tunnelIdleMs) return;
    this.#brokenBy = `nothing passed for ${tunnelIdleMs / 1000} s`;
    this.#splice.destroy();
  }

  /** Adds what passed since the last call to the counters; false when nothing did. */
  #countBytes(): boolean {
    const sent = this.#splice.sentBytes - this.#sent;
    const received = this.#splice.receivedBytes - this.#received;
    if (sent === 0 && received === 0) return false;
    this.#sent += sent;
    this.#received += received;
    this.#facts.edge.recordBytes(sent, received);
    this.#facts.entered?.edge.recordBytes(sent, received);
    return true;
  }

  /** Judges the tunnel again after policies changed, and cuts it when it is refused now. */
  recheck(): void {
    if (this.#facts.recheck === undefined || this.#facts.recheck()) return;
    this.#brokenBy = "a policy change revoked the permission";
    (this.#facts.entered?.edge ?? this.#facts.edge).recordRefused(true);
    this.#splice.destroy();
  }

  destroy(): void {
    this.#splice.destroy();
  }

  onSpliceEnd(_splice: Splice, cause: CloseCause): void {
    if (this.#ended) return;
    this.#ended = true;
    const { engine, registry, entered } = this.#facts;
    registry.delete(this);
    engine.live.tunnels--;
    this.#countBytes();
    this.#show(this.#facts, cause);
    if (entered !== undefined) this.#show(entered, cause);
  }

  /** Shows one hop to open taps. */
  #show({ edge, workload, tlsVersion }: HopEnd & Pick<TunnelFacts, "edge">, cause: CloseCause): void {
    tapConnection(this.#facts.engine, edge, {
      startedMs: this.#startedMs,
      authority: this.#facts.authority,
      workload,
      tlsVersion,
      bytesSent: this.#splice.sentBytes,
      bytesReceived: this.#splice.receivedBytes,
      errorCode: "",
      errorCause: this.#brokenBy !== "" ? this.#brokenBy : cause.code === "" ? "" : cause.message,
    });
  }
}

// What the config stream's endpoint is given: what to send, whom to let in, and whom to tell.

import type { Clock } from "@ripstop/core";
import type { telemetry } from "@ripstop/model";
import type { Logger, MetricRegistry } from "@ripstop/telemetry";

import type { PeerVerifier } from "../peer-verifier.ts";
import type { ServerTls } from "./tls-listener.ts";
import type { HandshakeLimits } from "./handshake-queue.ts";
import type { ResourceSource } from "./snapshot.ts";
import type { StreamLimits } from "./stream-limits.ts";

/** How to start the endpoint. */
export interface DiscoveryServerOptions {
  readonly source: ResourceSource;
  readonly tls: ServerTls;
  /** The identity of a client, from a leaf that TLS has verified. */
  readonly verifyPeer: PeerVerifier;
  /** True when the proxy id is registered with exactly this SPIFFE id. */
  authorize(proxyId: string, identity: string): boolean;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly metrics?: MetricRegistry;
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  readonly limits?: Partial<StreamLimits>;
  readonly handshakes?: Partial<HandshakeLimits>;
  /** There, when other control planes share the store: a proxy may come from one that is ahead of this one. */
  readonly shared?: SharedStore;
  /** A report of an authorized proxy. `slot` tells the workers of one proxy apart. */
  onReport?(proxyId: string, report: telemetry.ProxyReport, slot: number): void;
  /** A proxy's telemetry stream opened: the time to `send` what it should know. */
  onTelemetryOpen?(proxyId: string): void;
  /** The telemetry stream of a worker ended, and no newer one took its place. */
  onTelemetryClosed?(proxyId: string, slot: number): void;
  onConnected?(proxyId: string): void;
  onDisconnected?(proxyId: string): void;
}

/** What is known of the store that several control planes share. */
export interface SharedStore {
  /** The newest revision that is here, compiled or not. */
  readonly revision: number;
  /**
   * Kept with true when everything is here that was acknowledged, by whichever control plane, before the call; with false
   * when that cannot be found out. Within about two seconds.
   */
  readBarrier(): Promise<boolean>;
  /** What lies beside the revisions and goes into resources likewise: registered workloads, revocations. */
  readonly tables?: SharedTables;
}

/** How far this control plane has come with the store's tables; their order is the same for all control planes. */
export interface SharedTables {
  /** The newest change that may be in what is sent. */
  readonly newest: number;
  /** Every change up to this one is in what is sent. */
  readonly complete: number;
  /** Kept with true when what a proxy has seen of them is here, or never was in the store; within about six seconds. */
  reach(revision: number): Promise<boolean>;
}

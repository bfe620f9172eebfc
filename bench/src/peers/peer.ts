// One proxy under measurement, ours or another's: how it is configured and started for a duty.

import type { MeshIdentities } from "./mesh-identities.ts";

/** Forward what arrives on `listen` to the upstreams in turn, with all mesh duties. */
export interface PlainAssignment {
  readonly protocol: "http1" | "http2" | "tcp";
  readonly listen: number;
  readonly upstreams: readonly number[];
  /** Empty folder for config files. */
  readonly folder: string;
}

/** Accept mutual TLS with HTTP/2 on `listen` and hand the requests to the application in HTTP/1.1. */
export interface InboundAssignment {
  readonly listen: number;
  readonly application: number;
  readonly folder: string;
  readonly mesh: MeshIdentities;
}

/** Accept plain HTTP/1.1 on `listen` and send the requests by mutual TLS with HTTP/2 to the inbound proxy. */
export interface OutboundAssignment {
  readonly listen: number;
  readonly inbound: number;
  readonly folder: string;
  readonly mesh: MeshIdentities;
}

/** A command that serves until it is ended. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Default: that of the benchmark. */
  readonly env?: NodeJS.ProcessEnv;
}

/** What a proxy may be asked for. */
export type Duty = PlainAssignment["protocol"] | "inbound" | "outbound";

/** A kind of proxy that can be measured. */
export interface Peer {
  readonly name: string;
  /** Undefined when the program is here; else how to install it. */
  missing(): string | undefined;
  version(): string;
  /** Undefined when it can do this; else why not. */
  cannot(duty: Duty): string | undefined;
  /** What its first run on a machine leaves for all later ones, done before anything is measured. */
  firstRun?(folder: string): Promise<void>;
  plain(assignment: PlainAssignment): Promise<Launch>;
  inbound(assignment: InboundAssignment): Promise<Launch>;
  outbound(assignment: OutboundAssignment): Promise<Launch>;
}

/** The server name by which an inbound proxy is asked for: the one of Ripstop, the others take any. */
export const INBOUND_SERVER_NAME = "80.backend.bench.mesh";

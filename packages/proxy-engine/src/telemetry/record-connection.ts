// Shows raw connections to open taps, and counts those that were refused.

import { metricNames } from "@ripstop/telemetry";
import type { Engine } from "../engine.ts";
import type { Refusal } from "../7-connect/local-reply.ts";
import type { Edge } from "./edge.ts";

/** What is known of a raw connection when it is over. */
export interface ConnectionFacts {
  readonly startedMs: number;
  readonly authority: string;
  readonly workload: string;
  readonly tlsVersion: string;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** "" when it ended in good order. */
  readonly errorCode: string;
  readonly errorCause: string;
}

/** Shows a connection that is over; costs nothing while no tap is open. */
export function tapConnection(engine: Engine, edge: Edge, facts: ConnectionFacts): void {
  if (!engine.reporter.tapping) return;
  const { key } = edge;
  const latencyMs = engine.clock.monotonicMs() - facts.startedMs;
  engine.reporter.record({
    timeUnixMs: Math.round(engine.clock.nowMs() - latencyMs),
    reporter: key.reporter,
    sourceService: key.sourceService,
    destinationService: key.destinationService,
    sourceIdentity: key.sourceIdentity,
    destinationIdentity: key.destinationIdentity,
    destinationWorkload: facts.workload,
    protocol: key.protocol,
    method: "",
    authority: facts.authority,
    path: "",
    status: 0,
    grpcStatus: -1,
    latencyUs: Math.round(latencyMs * 1000),
    tlsVersion: facts.tlsVersion,
    bytesSent: facts.bytesSent,
    bytesReceived: facts.bytesReceived,
    traceId: "",
    requestId: "",
    errorCode: facts.errorCode,
    errorCause: facts.errorCause,
    route: "",
    attempts: 1,
  });
}

/** A connection that was refused before a byte passed. */
export interface RefusedConnection extends Pick<ConnectionFacts, "authority" | "workload" | "tlsVersion"> {
  readonly refused: Refusal;
  /** A policy refused it. Default: as `refused` says. */
  readonly denied?: boolean;
}

/** Counts a refused connection, and shows it with the policy's own words. */
export function recordRefusedConnection(engine: Engine, edge: Edge, connection: RefusedConnection): void {
  const { refused, authority, workload, tlsVersion } = connection;
  const { policy, kind, detail } = refused;
  edge.recordRefused(connection.denied ?? policy !== "");
  if (policy !== "") engine.metrics.counter(metricNames.DENIALS.name, metricNames.DENIALS.help, { policy }).add(1);
  const startedMs = engine.clock.monotonicMs();
  const facts = { startedMs, authority, workload, tlsVersion, bytesSent: 0, bytesReceived: 0 };
  tapConnection(engine, edge, { ...facts, errorCode: kind.code, errorCause: detail });
}

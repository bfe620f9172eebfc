// Counts a finished HTTP exchange, and shows it to open taps.

import type { RequestHead } from "@ripstop/http";
import { metricNames } from "@ripstop/telemetry";
import type { Engine } from "../engine.ts";
import type { Refusal } from "../7-connect/local-reply.ts";
import type { Edge } from "./edge.ts";

/** What is known of an exchange when it is over. */
export interface ExchangeFacts {
  readonly request: RequestHead;
  readonly status: number;
  readonly grpcStatus: number;
  readonly startedMs: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly refused: Refusal | undefined;
  /** Code of the error that another proxy answered with; "" when none did. */
  readonly upstreamError: string;
  readonly brokenBy: string;
  readonly clientGone: boolean;
  readonly retries: number;
  readonly attempts: number;
  readonly route: string;
  readonly workload: string;
  readonly tlsVersion: string;
}

const GRPC_PERMISSION_DENIED = 7;

/** Where a hop ends, when not where the exchange as a whole does. */
export type HopEnd = Pick<ExchangeFacts, "workload" | "tlsVersion">;

/** Counts on `edge`; builds a tap event only while a tap is open. */
export function recordExchange(engine: Engine, edge: Edge, facts: ExchangeFacts, end: HopEnd = facts): void {
  const { status, refused } = facts;
  const latencyMs = engine.clock.monotonicMs() - facts.startedMs;
  const denied =
    refused !== undefined && refused.policy !== ""
      ? true
      : facts.upstreamError !== "" && (status === 403 || facts.grpcStatus === GRPC_PERMISSION_DENIED);
  // gRPC: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS are the server's failures.
  const { grpcStatus } = facts;
  const grpcFailed =
    grpcStatus === 2 || grpcStatus === 4 || grpcStatus === 13 || grpcStatus === 14 || grpcStatus === 15;
  const failed = !denied && (status >= 500 || grpcFailed || (facts.brokenBy !== "" && !facts.clientGone));
  edge.record({
    status,
    failed,
    denied,
    latencyMs,
    bytesSent: facts.bytesSent,
    bytesReceived: facts.bytesReceived,
    retries: facts.retries,
  });
  if (refused !== undefined && refused.policy !== "") {
    engine.metrics.counter(metricNames.DENIALS.name, metricNames.DENIALS.help, { policy: refused.policy }).add(1);
  }
  if (!engine.reporter.tapping) return;
  const { key } = edge;
  engine.reporter.record({
    timeUnixMs: Math.round(engine.clock.nowMs() - latencyMs),
    reporter: key.reporter,
    sourceService: key.sourceService,
    destinationService: key.destinationService,
    sourceIdentity: key.sourceIdentity,
    destinationIdentity: key.destinationIdentity,
    destinationWorkload: end.workload,
    protocol: key.protocol,
    method: facts.request.method,
    authority: facts.request.authority,
    path: facts.request.path,
    status,
    grpcStatus,
    latencyUs: Math.round(latencyMs * 1000),
    tlsVersion: end.tlsVersion,
    bytesSent: facts.bytesSent,
    bytesReceived: facts.bytesReceived,
    traceId: facts.request.headers.get("traceparent")?.slice(3, 35) ?? "",
    requestId: facts.request.headers.get("x-request-id") ?? "",
    errorCode: refused?.kind.code ?? facts.upstreamError,
    errorCause: refused?.detail ?? facts.brokenBy,
    route: facts.route,
    attempts: facts.attempts,
  });
}

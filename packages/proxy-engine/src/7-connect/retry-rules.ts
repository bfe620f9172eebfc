// Which requests may be sent again, as pure functions (RFC 9110 §9.2.2; gRPC A6 for UNAVAILABLE).

import type { HeaderList } from "@ripstop/http";

/** Whether sending the request twice has the effect of sending it once. */
export function isIdempotent(method: string): boolean {
  switch (method) {
    case "GET":
    case "HEAD":
    case "OPTIONS":
    case "PUT":
    case "DELETE":
    case "TRACE":
      return true;
    default:
      return false;
  }
}

/** Whether a response's status invites another try. */
export function isRetryableStatus(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}

/** Backoff grows to this, or stays what the route says when that is more. */
const MAX_BACKOFF_MS = 10_000;
/** Jitter, as a share of the backoff: what failed together is not tried again together. */
const JITTER = 0.25;

/**
 * Time to wait before retry number `retry` (from 1), in milliseconds: at least `backoffMs` (GEP-1731), doubled with each,
 * and up to a quarter more. `random` is in [0, 1). 0 when `backoffMs` is 0.
 */
export function retryDelayMs(backoffMs: number, retry: number, random: number): number {
  const grown = Math.min(backoffMs * 2 ** (retry - 1), Math.max(backoffMs, MAX_BACKOFF_MS));
  return Math.ceil(grown * (1 + JITTER * random));
}

/** Whether a response is a gRPC "unavailable" without any message: the server did not process the call. */
export function isGrpcUnavailable(headers: HeaderList, end: boolean): boolean {
  return end && headers.get("grpc-status") === "14";
}

// Which requests may be sent again, as pure functions (RFC 9110 §9.2.2; gRPC A6 for UNAVAILABLE).

import type { HeaderList } from "@ripstop/http";
import { RETRY_ON, type ResilienceSettings } from "../6-balance/resilience-settings.ts";

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

/** Whether the service takes the request twice: its method is idempotent, or named by the policy. */
export function isRepeatable(method: string, settings: ResilienceSettings | undefined): boolean {
  return isIdempotent(method) || settings?.retryMethods.includes(method) === true;
}

/** Whether the policy wants another try after this status. */
export function wantsRetryOf(status: number, settings: ResilienceSettings): boolean {
  const { retryOn, retryCodes } = settings;
  if (status < 400) return false;
  if ((retryOn & RETRY_ON.serverError) !== 0 && status >= 500) return true;
  if ((retryOn & RETRY_ON.gatewayError) !== 0 && isRetryableStatus(status)) return true;
  return retryCodes.length > 0 && retryCodes.includes(status);
}

/** Backoff grows to this, or stays what the route says when that is more. */
const MAX_BACKOFF_MS = 10_000;
/** Jitter, as a share of the backoff: what failed together is not tried again together. */
const JITTER = 0.25;

/**
 * Time to wait before retry number `retry` (from 1), in milliseconds: at least `backoffMs` (GEP-1731), doubled with each,
 * up to `maxMs`, and up to a quarter more. `random` is in [0, 1). 0 when `backoffMs` is 0.
 */
export function retryDelayMs(backoffMs: number, retry: number, random: number, maxMs: number = MAX_BACKOFF_MS): number {
  const grown = Math.min(backoffMs * 2 ** (retry - 1), Math.max(backoffMs, maxMs));
  return Math.ceil(grown * (1 + JITTER * random));
}

/** The gRPC status of an answer without any message, which the server gives to a call that it did not process; else -1. */
export function bareGrpcStatus(headers: HeaderList, end: boolean): number {
  const status = end ? headers.get("grpc-status") : undefined;
  return status === undefined ? -1 : Number.parseInt(status, 10);
}

/** What a backoff depends on. */
export interface BackoffFacts {
  /** The route's least time between two tries; undefined when it has no retry of its own, 0 when it says none. */
  readonly routeMs: number | undefined;
  /** Which retry it is, from 1. */
  readonly retry: number;
  /** There is an instance that was not tried. */
  readonly hasOther: boolean;
  /** In [0, 1). */
  readonly random: number;
}

/**
 * Milliseconds before a retry: the route's backoff, else the policy's. Where neither says one: none for a route that has a
 * retry of its own, or while there is an instance that was not tried; the default else.
 */
export function backoffBefore(settings: ResilienceSettings, facts: BackoffFacts): number {
  const { routeMs, retry, hasOther, random } = facts;
  if (routeMs !== undefined && routeMs > 0) return retryDelayMs(routeMs, retry, random);
  if (!settings.alwaysBackOff && (routeMs !== undefined || hasOther)) return 0;
  return retryDelayMs(settings.backoffMs, retry, random, settings.maxBackoffMs);
}

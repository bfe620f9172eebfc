// What responses say of the endpoint beside the answer: its load (ORCA), and that it wants to rest (Retry-After).

import { ORCA_BINARY_FIELD, ORCA_FIELD, parseLoadReport, type EndpointState } from "@ripstop/balance";
import type { HeaderList } from "@ripstop/http";

const TOO_MANY_REQUESTS = 429;
const UNAVAILABLE = 503;

/** Takes in the load report of a response or its trailers, if there is one. */
export function noteLoadReport(endpoint: EndpointState, headers: HeaderList, nowMs: number): void {
  for (const name of [ORCA_BINARY_FIELD, ORCA_FIELD]) {
    const value = headers.get(name);
    const report = value === undefined ? undefined : parseLoadReport(name, value);
    if (report === undefined) continue;
    endpoint.recordLoad(report, nowMs);
    return;
  }
}

/**
 * For how long the endpoint wants to be left alone, in milliseconds, at most `maxMs`: 429 and 503 with Retry-After
 * (RFC 9110 section 10.2.3). 0 when it does not. `nowMs` is Unix time.
 */
export function restMs(status: number, headers: HeaderList, { nowMs, maxMs }: RestTerms): number {
  if (status !== TOO_MANY_REQUESTS && status !== UNAVAILABLE) return 0;
  const value = headers.get("retry-after");
  if (value === undefined) return 0;
  if (/^[0-9]{1,9}$/.test(value)) return Math.min(maxMs, Number(value) * 1000);
  const date = /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$/.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? 0 : Math.min(maxMs, Math.max(0, date - nowMs));
}

/** The time, and the longest rest. */
export interface RestTerms {
  readonly nowMs: number;
  readonly maxMs: number;
}

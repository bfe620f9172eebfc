// The time that a caller allows, passed on from hop to hop: grpc-timeout for gRPC, x-request-timeout-ms for the rest. Both say
// how much is left, not a time of day, so that no two clocks need to agree; each hop writes what is left when it sends.

import type { HeaderList } from "@ripstop/http";
import { grpcTimeoutMs } from "./grpc-timeout.ts";

/** Milliseconds in which the answer is of use to the caller, a decimal number; 0 or less: it is too late already. */
export const TIMEOUT_HEADER = "x-request-timeout-ms";

const GRPC_TIMEOUT = "grpc-timeout";
const MAX_DIGITS = 9;
const MAX_GRPC_MS = 99_999_999;
/** No limit was given. */
export const NO_LIMIT: number = Infinity;

/** Whether the caller says anything of time; most do not. */
export function namesTime(headers: HeaderList, isGrpc: boolean): boolean {
  return headers.indexOf(TIMEOUT_HEADER, 0) >= 0 || (isGrpc && headers.indexOf(GRPC_TIMEOUT, 0) >= 0);
}

/** Milliseconds that the caller allows, 0 when it is too late, NO_LIMIT when it does not say or cannot be understood. */
export function allowedMs(headers: HeaderList, isGrpc: boolean): number {
  const asked = isGrpc ? grpcTimeoutMs(headers.get(GRPC_TIMEOUT)) : 0;
  const limitMs = headerMs(headers.get(TIMEOUT_HEADER));
  return asked > 0 ? Math.min(asked, limitMs) : limitMs;
}

/**
 * What is left at `nowMs` to the request that the application handles, when this one, by its x-request-id, is made on its
 * behalf; else NO_LIMIT. `deadlines` are monotonic like `nowMs`.
 */
export function inheritedMs(headers: HeaderList, deadlines: ReadonlyMap<string, number>, nowMs: number): number {
  if (deadlines.size === 0) return NO_LIMIT;
  const endsAtMs = deadlines.get(headers.get("x-request-id") ?? "");
  return endsAtMs === undefined ? NO_LIMIT : Math.max(0, endsAtMs - nowMs);
}

/** What was written last: calls with the same limit mostly have the same left, and the same text costs encoders less. */
const written = { ms: 0, text: "", grpcText: "" };

/** Tells the next hop that `leftMs` are left. */
export function writeAllowed(headers: HeaderList, leftMs: number, isGrpc: boolean): void {
  const whole = Math.max(1, Math.floor(leftMs));
  if (whole !== written.ms) {
    written.ms = whole;
    written.text = String(whole);
    written.grpcText = whole <= MAX_GRPC_MS ? `${whole}m` : `${Math.floor(whole / 1000)}S`;
  }
  headers.set(TIMEOUT_HEADER, written.text);
  if (isGrpc) headers.set(GRPC_TIMEOUT, written.grpcText);
}

function headerMs(field: string | undefined): number {
  if (field === undefined) return NO_LIMIT;
  if (field.startsWith("-")) return 0;
  if (field === "" || field.length > MAX_DIGITS) return NO_LIMIT;
  let ms = 0;
  for (let at = 0; at < field.length; at++) {
    const digit = field.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return NO_LIMIT;
    ms = ms * 10 + digit;
  }
  return ms;
}

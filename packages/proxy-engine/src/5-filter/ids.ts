// Request ids and trace context (W3C Trace Context level 1).

import { randomFillSync } from "node:crypto";
import type { HeaderList } from "@ripstop/http";

const POOL_BYTES = 4096;
const pool: Buffer = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/** `bytes` random bytes as hex digits, from a pool filled by the system's generator. */
function randomHex(bytes: number): string {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const text = pool.toString("hex", used, used + bytes);
  used += bytes;
  return text;
}

/** A version 4 UUID. */
export function newRequestId(): string {
  const hex = randomHex(16);
  const variant = (8 + (Number.parseInt(hex[16] ?? "0", 16) & 3)).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

const TRACEPARENT_LENGTH = 55;

function isLowerHex(text: string, from: number, to: number): boolean {
  let nonZero = false;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) return false;
    if (code !== 0x30) nonZero = true;
  }
  return nonZero;
}

/**
 * Gives the request a span of its own: keeps the trace of a valid traceparent, starts a new one otherwise (and then drops
 * tracestate). Returns the trace id, 32 hex digits.
 */
export function continueTrace(headers: HeaderList): string {
  const given = headers.get("traceparent");
  const span = randomHex(8);
  if (
    given !== undefined &&
    given.length === TRACEPARENT_LENGTH &&
    given.startsWith("00-") &&
    given[35] === "-" &&
    given[52] === "-" &&
    isLowerHex(given, 3, 35) &&
    isLowerHex(given, 36, 52)
  ) {
    const trace = given.slice(3, 35);
    headers.set("traceparent", `00-${trace}-${span}-${given.slice(53)}`);
    return trace;
  }
  const trace = randomHex(16);
  headers.remove("tracestate");
  headers.set("traceparent", `00-${trace}-${span}-01`);
  return trace;
}

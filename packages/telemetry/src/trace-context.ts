// W3C Trace Context (level 1, https://www.w3.org/TR/trace-context/): `traceparent` is parsed strictly and given a new
// span id; `tracestate` is never touched, the caller just leaves it in place (or drops it with a broken traceparent).

import type { RandomIds } from "./random-ids.ts";

/** A trace, and the span in it that this hop belongs to. */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** The caller's span, 16 lower-case hex digits; "" at the start of a trace. */
  readonly parentId: string;
  /** This hop's span, 16 lower-case hex digits. */
  readonly spanId: string;
  /** The caller's flags, 0 … 255; bit 0 is "sampled". */
  readonly flags: number;
}

const LENGTH = 55;
const ZEROS = "0".repeat(32);

/**
 * The context of a hop: continues `traceparent` when it is valid, else starts a trace (flags 0). When it starts one
 * although a header came, `tracestate` must be dropped (§3.3): that is the case exactly when `parentId` is "".
 */
export function continueTrace(traceparent: string | undefined, ids: RandomIds): TraceContext {
  if (traceparent !== undefined && isTraceparent(traceparent)) {
    return {
      traceId: traceparent.slice(3, 35),
      parentId: traceparent.slice(36, 52),
      spanId: ids.hex(8),
      flags: Number.parseInt(traceparent.slice(53, 55), 16),
    };
  }
  return { traceId: ids.hex(16), parentId: "", spanId: ids.hex(8), flags: 0 };
}

/** The header that goes to the next hop; only the flags that version 00 defines are passed on (§3.2.2.5). */
export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-0${context.flags & 1}`;
}

/** The header for the next hop straight from the caller's: the same trace, a new span id; or a new trace. No object is made. */
export function nextTraceparent(traceparent: string | undefined, ids: RandomIds): string {
  if (traceparent === undefined || !isTraceparent(traceparent)) return ids.newTraceparent();
  const sampled = (hexDigit(traceparent.charCodeAt(54)) & 1) === 1;
  return `00-${traceparent.slice(3, 35)}-${ids.hex(8)}-${sampled ? "01" : "00"}`;
}

/** True for a traceparent that may be continued: version 00 exactly, or a later version that starts in the same form. */
export function isTraceparent(text: string): boolean {
  if (text.length < LENGTH) return false;
  for (let i = 0; i < LENGTH; i++) {
    const code = text.charCodeAt(i);
    if (i === 2 || i === 35 || i === 52) {
      if (code !== 0x2d) return false;
    } else if (hexDigit(code) < 0) return false;
  }
  if (text.startsWith("ff")) return false;
  if (text.length > LENGTH && (text.startsWith("00") || text.charCodeAt(LENGTH) !== 0x2d)) return false;
  return !text.startsWith(ZEROS, 3) && !text.startsWith(ZEROS.slice(0, 16), 36);
}

/** Value of a lower-case hex digit, or -1. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

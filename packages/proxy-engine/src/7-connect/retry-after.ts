// Retry-After (RFC 9110 section 10.2.3): seconds, or a date.

const MAX_SECONDS_DIGITS = 9;

/** Milliseconds that an answer asks to wait, from `nowMs` by the wall clock; 0 when it does not ask. */
export function retryAfterMs(field: string | undefined, nowMs: number): number {
  if (field === undefined || field === "") return 0;
  const first = field.charCodeAt(0);
  if (first >= 0x30 && first <= 0x39) {
    if (field.length > MAX_SECONDS_DIGITS) return Infinity;
    const seconds = Number(field);
    return Number.isInteger(seconds) ? seconds * 1000 : 0;
  }
  const atMs = Date.parse(field);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - nowMs);
}

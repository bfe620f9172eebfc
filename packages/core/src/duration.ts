// Durations as the Gateway API writes them (GEP-2257): up to four groups of digits and unit, e.g. "1h30m", "500ms".

import { err, ok, type Result } from "./result.ts";

const PATTERN = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;
const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** Milliseconds of a GEP-2257 duration, or a sentence that says what is wrong with it. */
export function parseDurationMs(text: string): Result<number, string> {
  if (!PATTERN.test(text)) {
    return err(`"${text}" is not a duration: write digits and a unit (h, m, s, ms), for example "1h30m" or "500ms"`);
  }
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g)) {
    total += Number(digits) * (UNIT_MS[unit ?? ""] ?? 0);
  }
  return ok(total);
}

/** The shortest GEP-2257 text for `ms` (an integer ≥ 0). */
export function formatDurationMs(ms: number): string {
  if (ms === 0) return "0s";
  let rest = ms;
  let text = "";
  for (const [unit, size] of Object.entries(UNIT_MS)) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

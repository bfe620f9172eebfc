// Spans of time as tables show them: one unit, rounded down.

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
];

/** "59 min" of the larger time less the smaller; less than two of a unit is shown in the next smaller one. */
export function spanText(ms: number): string {
  for (const [unit, size] of UNITS) if (ms >= 2 * size || unit === "s") return `${Math.floor(ms / size)} ${unit}`;
  return "0 s";
}

/** How long until `endMs`; "-" for none (0) and "over" for the past. */
export function timeLeftText(endMs: number, nowMs: number): string {
  if (endMs === 0) return "-";
  return endMs <= nowMs ? "over" : spanText(endMs - nowMs);
}

/** How long since `startMs`. */
export function agoText(startMs: number, nowMs: number): string {
  return spanText(Math.max(nowMs - startMs, 0));
}

/** "2026-11-21 12:00:00 UTC". */
export function dateText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

// Numbers as people read them.

/** "0", "0.4", "12", "1.2k", "3.4M". */
export function short(value: number): string {
  if (value === 0) return "0";
  if (value < 10) return value.toFixed(1);
  if (value < 1000) return value.toFixed(0);
  if (value < 1_000_000) return `${(value / 1000).toFixed(1)}k`;
  return `${(value / 1_000_000).toFixed(1)}M`;
}

/** "0.8 ms", "12 ms", "1.2 s". */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** "100 %", "99.2 %". */
export function percent(share: number): string {
  const value = share * 100;
  return `${value === 100 || value === 0 ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** "42 MB". */
export function megabytes(bytes: number): string {
  return bytes === 0 ? "–" : `${(bytes / 1e6).toFixed(0)} MB`;
}

/** "54 min", "12 s", "expired". */
export function remaining(untilMs: number, nowMs: number): string {
  const seconds = (untilMs - nowMs) / 1000;
  if (untilMs === 0) return "–";
  if (seconds <= 0) return "expired";
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  if (seconds < 5400) return `${(seconds / 60).toFixed(0)} min`;
  return seconds < 345_600 ? `${(seconds / 3600).toFixed(0)} h` : `${(seconds / 86_400).toFixed(0)} d`;
}

/** "catalog" of "shop/catalog"; the text itself when it has no slash. */
export function shortName(service: string): string {
  return service === "" ? "outside" : service.slice(service.indexOf("/") + 1);
}

/** "good" ≥ 99 %, "fair" ≥ 95 %, "bad" below. */
export function health(successRate: number): "good" | "fair" | "bad" {
  return successRate >= 0.99 ? "good" : successRate >= 0.95 ? "fair" : "bad";
}

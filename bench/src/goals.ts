// Goals of the rows, judged on the figures of Ripstop beside those of a peer.

import type { Entry, Verdict } from "./rows/row.ts";

/** The name of the peer that the goals are for. */
export const OURS = "Ripstop";

function valueOf(entries: readonly Entry[], peer: string, key: string): number | undefined {
  const value = entries.find((entry) => entry.peer === peer)?.values[key];
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

/** Ours is at most `factor` times what `peer` has. */
export function atMostTimes(entries: readonly Entry[], key: string, factor: number, peer: string): Verdict {
  return compare(entries, key, `≤ ${factor} × ${peer}`, peer, (ratio) => ratio <= factor);
}

/** CPU per request is at most so many times that of each peer. */
export function cpuPerRequest(entries: readonly Entry[], factors: Readonly<Record<string, number>>): Verdict[] {
  return Object.entries(factors).map(([peer, factor]) =>
    about("CPU per request", atMostTimes(entries, "cpuUs", factor, peer)),
  );
}

/** Ours is at least `factor` times what `peer` has. */
export function atLeastTimes(entries: readonly Entry[], key: string, factor: number, peer: string): Verdict {
  return compare(entries, key, `≥ ${factor} × ${peer}`, peer, (ratio) => ratio >= factor);
}

function compare(
  entries: readonly Entry[],
  key: string,
  goal: string,
  peer: string,
  isMet: (ratio: number) => boolean,
): Verdict {
  const ours = valueOf(entries, OURS, key);
  const theirs = valueOf(entries, peer, key);
  if (ours === undefined || theirs === undefined || theirs === 0)
    return { goal, reached: "not measured", met: undefined };
  const ratio = ours / theirs;
  return { goal, reached: `${ratio.toFixed(2)} ×`, met: isMet(ratio) };
}

/** Ours is at most `limit`, in `unit`. */
export function atMost(entries: readonly Entry[], key: string, limit: number, unit: string): Verdict {
  const goal = `≤ ${limit} ${unit}`;
  const ours = valueOf(entries, OURS, key);
  if (ours === undefined) return { goal, reached: "not measured", met: undefined };
  return { goal, reached: `${ours.toFixed(1)} ${unit.split(" ")[0] ?? ""}`, met: ours <= limit };
}

/** The same verdict with the words `what` before its goal. */
export function about(what: string, verdict: Verdict): Verdict {
  return { ...verdict, goal: `${what} ${verdict.goal}` };
}

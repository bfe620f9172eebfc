// A V8 CPU profile read into shares: which package, Node itself or the kernel the time was spent in.

import { existsSync, readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { fileURLToPath } from "node:url";

/** A function as V8 names it; line and column count from 0. */
export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
}

/** The parts of the .cpuprofile format that are read. Times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Time by where it was spent; all shares of the busy time, largest first. */
export interface ProfileSummary {
  readonly busySeconds: number;
  readonly groups: readonly Share[];
  readonly functions: readonly Share[];
}

/** A name and its part, 0 … 1. */
export interface Share {
  readonly name: string;
  readonly share: number;
}

const WRITES: ReadonlySet<string> = new Set([
  "writeBuffer",
  "writev",
  "writeLatin1String",
  "writeUtf8String",
  "shutdown",
]);
const START_UP_US = 1_500_000;

/** Names a place in the source as it was written; the place itself when there is no map. */
export type Locate = (url: string, line: number, column: number) => string;

/** Adds up self times of several profiles, without idle time and without the first 1.5 s of each (start and first compilation). */
export function summarizeProfiles(profiles: readonly CpuProfile[], locate: Locate): ProfileSummary {
  const groups = new Map<string, number>();
  const functions = new Map<string, number>();
  let busy = 0;
  for (const profile of profiles) {
    const places = new Map(profile.nodes.map((node) => [node.id, placeOf(node.callFrame, locate)]));
    let at = 0;
    for (const [index, sample] of profile.samples.entries()) {
      const spent = profile.timeDeltas[index] ?? 0;
      at += spent;
      const place = places.get(sample);
      if (at < START_UP_US || place === undefined || spent <= 0) continue;
      busy += spent;
      groups.set(place.group, (groups.get(place.group) ?? 0) + spent);
      functions.set(place.name, (functions.get(place.name) ?? 0) + spent);
    }
  }
  return { busySeconds: busy / 1e6, groups: sharesOf(groups, busy), functions: sharesOf(functions, busy) };
}

/** Parts of `busy`, largest first. */
export function sharesOf(times: ReadonlyMap<string, number>, busy: number): Share[] {
  return [...times]
    .map(([name, time]) => ({ name, share: time / Math.max(1, busy) }))
    .sort((a, b) => b.share - a.share);
}

/** The package, or phase of the engine, that a function belongs to, and its name with its file; undefined for idle time. */
export function placeOf(
  { functionName, url, lineNumber, columnNumber }: CallFrame,
  locate: Locate,
): { readonly group: string; readonly name: string } | undefined {
  const plain = functionName === "" ? "(anonymous)" : functionName;
  if (plain === "(idle)" || plain === "(root)") return undefined;
  if (plain === "(garbage collector)") return { group: "garbage collection", name: plain };
  if (plain === "(program)") return { group: "native code and kernel: reading, polling", name: plain };
  if (url === "")
    return { group: WRITES.has(plain) ? "native code and kernel: writing" : "V8 and Node built-ins", name: plain };
  if (url.startsWith("node:")) return { group: "Node's own JavaScript", name: `${plain} (${url})` };
  const source = locate(url, lineNumber, columnNumber);
  const area = /(?:packages|apps)\/([^/]+)(?:\/(?:src|dist)\/([0-9]-[^/]+))?/.exec(source);
  const group = area === null ? "dependencies" : [area[1], area[2]].filter((part) => part !== undefined).join(" ");
  return { group, name: `${plain} (${/[^/]+$/.exec(source)?.[0] ?? source})` };
}

/** Locates by the source maps that lie beside the bundle's files. */
export function sourceMapLocator(): Locate {
  const maps = new Map<string, SourceMap | undefined>();
  return (url, line, column) => {
    if (!url.startsWith("file:")) return url;
    if (!maps.has(url)) {
      const file = `${fileURLToPath(url)}.map`;
      maps.set(
        url,
        existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, "utf8")) as SourceMapPayload) : undefined,
      );
    }
    const entry = maps.get(url)?.findEntry(line, column);
    return entry !== undefined && "originalSource" in entry ? entry.originalSource : url;
  };
}

// A profile of Linux's perf read into shares. It sees the kernel, Node's native code and what V8 compiled as they are,
// where V8's own profiler counts a system call for all that happens until it returns.

import { pathToFileURL } from "node:url";
import { placeOf, sharesOf, type Locate, type Share } from "./cpu-profile.ts";

/** One sample: its time in seconds and the names on the stack, innermost first. */
export interface PerfSample {
  readonly atSeconds: number;
  readonly frames: readonly Frame[];
}

/** One frame of a stack. */
export interface Frame {
  readonly symbol: string;
  /** The file that the code is from. */
  readonly object: string;
}

/** Shares of all samples, largest first. */
export interface PerfSummary {
  /** Kernel, Node and V8, codec, duties, the rest of the engine. */
  readonly areas: readonly Share[];
  /** The same, finer: what the kernel does, packages, phases of the engine. */
  readonly groups: readonly Share[];
  readonly functions: readonly Share[];
}

const FRAME = /^\s+[0-9a-f]+ (.+) \(([^()]*)\)$/;
const COMPILED = /^JS:[*~^+]?(\S*) (.+):(\d+):(\d+)$/;
const KERNEL = "[kernel.kallsyms]";
const COLLECTOR = /CollectGarbage|Scavenge|ConcurrentMarking|Sweeper/;
const STREAMS =
  /^(?:non-virtual thunk to )?(node::(StreamBase|LibuvStreamWrap|crypto::)|uv_|uv__|read$|write$|__GI___libc_(read|write))/;
const CALLS: readonly (readonly [RegExp, string])[] = [
  [/^(ksys_write|do_writev|__sys_send)/, "kernel: writing"],
  [/^(ksys_read|do_readv|__sys_recv)/, "kernel: reading"],
  [/epoll/, "kernel: polling"],
];
const STREAM_GROUP = "Node's streams and libuv";
const CODEC: ReadonlySet<string> = new Set(["http1", "http2", "http", "core"]);
const DUTIES: ReadonlySet<string> = new Set([
  "proxy-engine 4-route",
  "proxy-engine 5-filter",
  "proxy-engine 6-balance",
  "balance",
  "policies",
  "policy-api",
  "routing",
  "telemetry",
]);

/** Reads what `perf script -F time,ip,sym,dso` prints. */
export function parsePerfScript(text: string): readonly PerfSample[] {
  const samples: PerfSample[] = [];
  for (const block of text.split("\n\n")) {
    const [head = "", ...lines] = block.split("\n").filter((line) => line !== "");
    const atSeconds = Number.parseFloat(head);
    if (Number.isNaN(atSeconds)) continue;
    const frames = lines.flatMap((line) => {
      const [, symbol = "", object = ""] = FRAME.exec(line) ?? [];
      return symbol === "" ? [] : [{ symbol, object }];
    });
    if (frames.length > 0) samples.push({ atSeconds, frames });
  }
  return samples;
}

/** Where the samples fell. */
export function summarizePerf(samples: readonly PerfSample[], locate: Locate): PerfSummary {
  const areas = new Map<string, number>();
  const groups = new Map<string, number>();
  const functions = new Map<string, number>();
  for (const { frames } of samples) {
    const { area, group, name } = whereIs(frames, locate);
    for (const [counts, key] of [
      [areas, area],
      [groups, group],
      [functions, name],
    ] as const) {
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  const { length } = samples;
  return { areas: sharesOf(areas, length), groups: sharesOf(groups, length), functions: sharesOf(functions, length) };
}

interface Where {
  readonly area: string;
  readonly group: string;
  readonly name: string;
}

function whereIs(frames: readonly Frame[], locate: Locate): Where {
  const [leaf] = frames;
  if (leaf?.object === KERNEL) return native("kernel", kernelGroup(frames), leaf.symbol);
  if (frames.some(({ symbol }) => COLLECTOR.test(symbol))) {
    return native("Node and V8", "garbage collection", "(garbage collector)");
  }
  const at = frames.findIndex(({ symbol }) => symbol.startsWith("JS:"));
  const below = frames.slice(0, at < 0 ? frames.length : at);
  const caller = frames[at];
  const { symbol } = leaf ?? { symbol: "" };
  if (below.some((frame) => STREAMS.test(frame.symbol))) return native("Node and V8", STREAM_GROUP, symbol);
  if (caller === undefined) return native("Node and V8", "V8: compiler, calls into JavaScript", symbol);
  const compiled = compiledPlace(caller.symbol, locate);
  if (compiled === undefined) return native("Node and V8", "Node's own JavaScript", symbol);
  // A builtin of V8 belongs to whoever calls it.
  return { area: areaOf(compiled.group), group: compiled.group, name: at === 0 ? compiled.name : symbol };
}

function native(area: string, group: string, symbol: string): Where {
  return { area, group, name: symbol };
}

function kernelGroup(frames: readonly Frame[]): string {
  for (const { symbol, object } of frames) {
    if (object !== KERNEL) break;
    for (const [pattern, group] of CALLS) if (pattern.test(symbol)) return group;
  }
  return "kernel: other";
}

function areaOf(group: string): string {
  if (CODEC.has(group)) return "codec";
  return DUTIES.has(group) ? "duties" : "connections and exchanges";
}

function compiledPlace(symbol: string, locate: Locate): { readonly group: string; readonly name: string } | undefined {
  const [, functionName = "", file = "", line = "", column = ""] = COMPILED.exec(symbol) ?? [];
  if (file === "" || file.startsWith("node:")) return undefined;
  return placeOf(
    {
      functionName,
      url: file.startsWith("file:") ? file : pathToFileURL(file).href,
      lineNumber: Number(line) - 1,
      columnNumber: Number(column) - 1,
    },
    locate,
  );
}

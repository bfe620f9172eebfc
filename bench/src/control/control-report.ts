// The control plane's figures as Markdown, each beside its goal.

import { loadavg } from "node:os";
import { machine } from "../report.ts";
import type { FlatRow, LoneProxy } from "./flat-run.ts";
import type { MeshShape } from "./mesh-shape.ts";
import { mb, type CpuShare, type SizeRun } from "./size-run.ts";

/** All that was measured. */
export interface ControlReport {
  readonly shape: MeshShape;
  readonly run: SizeRun;
  readonly flat: readonly FlatRow[];
  readonly lone: readonly LoneProxy[];
  /** Load average before the run. */
  readonly loadBefore: number;
}

type Line = readonly [what: string, figure: string, goal: string, met: boolean | undefined];

const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const seconds = (value: number): string => `${(value / 1000).toFixed(1)} s`;

const cpu = ({ control, simulation }: CpuShare): string =>
  `${control.toFixed(1)} s of CPU beside ${simulation.toFixed(1)} s for simulating the proxies`;

/** The whole report. */
export function controlReport({ shape, run, flat, lone, loadBefore }: ControlReport): string {
  const { services, endpoints, proxies, uses } = shape;
  return [
    `Machine: ${machine()}. Load average before the run ${loadBefore.toFixed(1)}, after it ${(loadavg()[0] ?? 0).toFixed(1)}; the`,
    "simulated proxies share its processors.",
    "",
    `## ${services} services, ${endpoints} endpoints each, ${proxies} proxies that use ${uses} services each`,
    "",
    ...table(sizeLines(run)),
    "",
    ...(flat.length === 0 ? [] : flatSection(flat, lone)),
  ].join("\n");
}

function flatSection(flat: readonly FlatRow[], lone: readonly LoneProxy[]): readonly string[] {
  return [
    "## What the size of the mesh costs those who do not use it",
    "",
    "Forty proxies on the same ten services; CPU of the control plane for one endpoint change.",
    "",
    "| services | CPU for one change | p50 | p99 |",
    "|---|---|---|---|",
    ...flat.map(
      (row) => `| ${row.services} | ${row.cpuMsPerChange.toFixed(2)} ms | ${ms(row.p50Ms)} | ${ms(row.p99Ms)} |`,
    ),
    "",
    "One proxy that uses five services:",
    "",
    "| services | bytes received | memory of its process |",
    "|---|---|---|",
    ...lone.map((row) => `| ${row.services} | ${row.bytes} | ${mb(row.residentBytes)} |`),
    "",
    ...table(flatLines(flat, lone)),
    "",
  ];
}

function table(lines: readonly Line[]): readonly string[] {
  return [
    "| what | figure | goal | |",
    "|---|---|---|---|",
    ...lines.map(
      ([what, figure, goal, met]) =>
        `| ${what} | ${figure} | ${goal} | ${met === undefined ? "" : met ? "met" : "**missed**"} |`,
    ),
  ];
}

function sizeLines(run: SizeRun): readonly Line[] {
  const { single, sustained, hot, route, apply, hostile, crash } = run;
  const arrived = [single, sustained, hot, apply.beside, hostile.others];
  const lost = arrived.reduce((sum, times) => sum + times.expected - times.arrived, 0);
  return [
    ["start until the API answers", seconds(run.readyMs), "20 s", run.readyMs <= 20_000],
    [
      "all proxies connect at once, until each has everything",
      `${seconds(run.allSyncedMs)}, ${cpu(run.allSyncedCpu)}`,
      "30 s",
      run.allSyncedMs <= 30_000,
    ],
    ["memory, nobody connected", mb(run.memoryReady), "", undefined],
    ["memory, all connected", mb(run.memoryConnected), "1500 MB", run.memoryConnected < 1.5e9],
    ["memory, the most at any time", mb(run.memoryPeak), "1500 MB", run.memoryPeak < 1.5e9],
    ["one endpoint change to its last subscriber, p50", ms(single.p50Ms), "50 ms", single.p50Ms < 50],
    ["the same, p99", ms(single.p99Ms), "250 ms", single.p99Ms < 250],
    [
      `${sustained.perSecond.toFixed(0)} endpoint changes a second, p99`,
      `${ms(sustained.p99Ms)}, ${sustained.cpuMsPerChange.toFixed(1)} ms of CPU a change`,
      "500 ms",
      sustained.p99Ms < 500,
    ],
    ["an endpoint of the service that all proxies use, p99", ms(hot.p99Ms), "", undefined],
    ["endpoint updates that did not arrive", String(lost), "0", lost === 0],
    ["endpoint updates older than what the proxy had", String(run.wentBack), "0", run.wentBack === 0],
    [
      "resources computed for a changed route",
      `${route.computed} of ${route.remembered}; live on ${route.proxies} proxies after ${ms(route.liveMs)}`,
      "its dependents",
      route.computed <= 10,
    ],
    [`apply of ${apply.documents} documents`, seconds(apply.tookMs), "", undefined],
    ["longest wait of another request meanwhile", ms(apply.longestPauseMs), "", undefined],
    ["endpoint changes meanwhile, p99", ms(apply.beside.p99Ms), "", undefined],
    ["endpoint changes beside hostile clients, p99", ms(hostile.others.p99Ms), "500 ms", hostile.others.p99Ms < 500],
    [
      "the client that never acknowledges",
      `${hostile.outcome.neverAcknowledges} response held for it`,
      "bounded",
      hostile.outcome.neverAcknowledges <= 2,
    ],
    [
      "the client that asks for everything",
      `ended ${hostile.outcome.everything.ended} times: ${hostile.outcome.everything.reason}`,
      "refused",
      hostile.outcome.everything.ended > 0,
    ],
    [
      "the client under another's id",
      `ended ${hostile.outcome.thief.ended} times, ${hostile.outcome.thief.resources} resources: ${hostile.outcome.thief.reason}`,
      "refused",
      hostile.outcome.thief.ended > 0 && hostile.outcome.thief.resources === 0,
    ],
    ["kill -9 and start: until the API answers", seconds(crash.readyMs), "20 s", crash.readyMs <= 20_000],
    [
      "kill -9 and start: until all proxies are synced",
      `${seconds(crash.allSyncedMs)}, ${cpu(crash.cpu)}; ${crash.sent} resources sent, ${crash.resumed} were known`,
      "30 s",
      crash.allSyncedMs <= 30_000,
    ],
  ];
}

function flatLines(flat: readonly FlatRow[], lone: readonly LoneProxy[]): readonly Line[] {
  const spread = (values: readonly number[]): number => Math.max(...values) / Math.min(...values);
  const cost = spread(flat.map(({ cpuMsPerChange }) => cpuMsPerChange));
  const memory = spread(lone.map(({ residentBytes }) => residentBytes));
  const bytes = spread(lone.map(({ bytes: received }) => received));
  return [
    ["cost of one endpoint change, largest to smallest", `${cost.toFixed(2)} ×`, "1.5 ×", cost <= 1.5],
    ["memory of the lone proxy", `${memory.toFixed(3)} ×`, "1.05 ×", memory <= 1.05],
    ["bytes that it received", `${bytes.toFixed(3)} ×`, "the same", bytes <= 1.05],
  ];
}

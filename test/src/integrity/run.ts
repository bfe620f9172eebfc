// One integrity run: a mesh of real processes, random exchanges through two proxies each, then a look at what is left.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { lookInto, probeEnvironment, untilProbed } from "../heap/proxies.ts";
import type { Mesh, Running } from "../mesh.ts";
import { isClean, settle, workloads, type Leftover } from "./look.ts";

const folder = dirname(fileURLToPath(import.meta.url));
/** A run takes as long as its exchanges; a day is more than any. */
const RUN_MS = 86_400_000;

/** What to run. */
export interface IntegrityOptions {
  readonly seed: number;
  /** Index of the first plan. */
  readonly first: number;
  readonly requests: number;
  /** Exchanges at a time. */
  readonly lanes: number;
  /** "raw", "onread" or "public"; default: what the proxies choose. */
  readonly transport?: string;
  /** Hears of progress. */
  readonly onProgress?: (line: string) => void;
}

/** What came out. */
export interface IntegrityReport {
  readonly requests: number;
  readonly bytes: number;
  readonly kinds: Readonly<Record<string, number>>;
  /** One line of JSON for each wrong thing, of client and servers. */
  readonly wrong: readonly string[];
  /** After the last exchange. */
  readonly leftovers: readonly Leftover[];
  /** By workload: what the proxy holds at the end, measured against a tenth of the way, garbage collected both times. */
  readonly growth: readonly Growth[];
  readonly seconds: number;
}

/** What one proxy holds more than before. Buffers are part of `externalBytes`. */
export interface Growth {
  readonly workload: string;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly files: number;
  readonly handles: number;
}

const WARM_SHARE = 0.1;
const MB = 1024 * 1024;
/** Tables, compiled code and pools may still grow a little after a tenth of the run; what leaks grows with the run. */
const MAX_GROWTH = 4 * MB;
const MAX_HANDLES = 4;

/** What is wrong with a run, in words; nothing when every byte arrived and nothing is left. */
export function problemsOf(report: IntegrityReport): readonly string[] {
  const problems = [...report.wrong];
  for (const leftover of report.leftovers)
    if (!isClean(leftover)) problems.push(`something is left: ${JSON.stringify(leftover)}`);
  for (const { workload, heapBytes, externalBytes, files, handles } of report.growth) {
    const bytes = heapBytes + externalBytes;
    if (bytes > MAX_GROWTH) problems.push(`${workload} holds ${(bytes / MB).toFixed(1)} MB more than before`);
    if (files > MAX_HANDLES) problems.push(`${workload} has ${files} more files and sockets than before`);
    if (handles > MAX_HANDLES) problems.push(`${workload} has ${handles} more handles than before`);
  }
  if (report.leftovers.length === 0 || report.growth.length !== report.leftovers.length)
    problems.push("not every proxy was looked at");
  return problems;
}

/** Runs on a mesh whose control plane has been started. The mesh is the caller's to stop. */
export async function runIntegrity(mesh: Mesh, options: IntegrityOptions): Promise<IntegrityReport> {
  const probes = mkdtempSync(join(tmpdir(), "ripstop-probes-"));
  try {
    return await run(mesh, options, probes);
  } finally {
    rmSync(probes, { recursive: true, force: true });
  }
}

async function run(mesh: Mesh, options: IntegrityOptions, probes: string): Promise<IntegrityReport> {
  const { seed, first, requests, lanes, transport } = options;
  const env = { ...probeEnvironment(probes), ...(transport === undefined ? {} : { RIPSTOP_TRANSPORT: transport }) };
  const serve = (name: string, protocol: string): Running =>
    mesh.ripstop(
      [
        ...["run", "--service", name, "--port", "auto", "--protocol", protocol, "--"],
        ...[process.execPath, join(folder, "server.js"), name],
      ],
      env,
    );
  const servers = [serve("h1", "http"), serve("h2", "http2"), serve("tcp", "tcp")];
  await mesh.until("three applications are ready", async () => {
    const rows = await workloads(mesh);
    return rows.filter((row) => row.ready).length === servers.length ? true : undefined;
  });
  const started = process.hrtime.bigint();
  const upstreams = ["h1", "h2", "tcp"].flatMap((name) => ["--upstream", name]);
  const warm = Math.ceil(requests * WARM_SHARE);
  const client = mesh.ripstop(
    [
      ...["run", "--service", "caller", ...upstreams, "--"],
      ...[process.execPath, join(folder, "client.js"), ...[seed, first, requests, lanes, warm].map(String)],
    ],
    env,
  );
  for (const running of [client, ...servers]) {
    for (const output of [running.child.stdout, running.child.stderr])
      output?.on("data", (chunk: Buffer) => options.onProgress?.(chunk.toString().trimEnd()));
  }
  // The proxy keeps the output open for a moment after the client itself is gone.
  const gone = new Promise<never>((_, reject) => {
    client.child.once("exit", (code) =>
      reject(new Error(`the client ended with ${code}:\n${client.output().slice(-4000)}`)),
    );
  });
  gone.catch(() => undefined);
  await Promise.race([client.printed(/^\{"warm":.*\}$/m, RUN_MS), gone]);
  await untilProbed(mesh, probes, servers.length + 1);
  const before = await holdings(mesh, probes);
  client.child.stdin?.write("go on\n");
  const [line] = await Promise.race([client.printed(/^\{"summary":.*\}$/m, RUN_MS), gone]);
  const summary = JSON.parse(line) as { summary: number; bytes: number; kinds: Record<string, number> };
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const end = await holdings(mesh, probes);
  const wrong = [client, ...servers].flatMap((running) =>
    running
      .output()
      .split("\n")
      .filter((text) => text.startsWith('{"wrong"') || /proxy ended|Error/.test(text)),
  );
  const { summary: done, bytes, kinds } = summary;
  return {
    requests: done,
    bytes,
    kinds,
    wrong,
    leftovers: end.map(({ leftover }) => leftover),
    growth: growthOf(before, end),
    seconds,
  };
}

interface Holding {
  readonly leftover: Leftover;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly handles: number;
}

/** What every proxy holds with nothing under way. */
async function holdings(mesh: Mesh, probes: string): Promise<readonly Holding[]> {
  const leftovers = await settle(mesh);
  const rows = await workloads(mesh);
  const found: Holding[] = [];
  for (const leftover of leftovers) {
    const pid = rows.find(({ id }) => id === leftover.workload)?.proxyPid ?? 0;
    const { heapUsed, external, resources } = await lookInto(probes, pid);
    const handles = Object.values(resources).reduce((sum, count) => sum + count, 0);
    found.push({
      leftover,
      heapBytes: heapUsed,
      externalBytes: external,
      handles: handles - leftover.pooled - leftover.peers,
    });
  }
  return found;
}

function growthOf(before: readonly Holding[], end: readonly Holding[]): readonly Growth[] {
  return end.flatMap((last) => {
    const { workload } = last.leftover;
    const first = before.find(({ leftover }) => leftover.workload === workload);
    if (first === undefined) return [];
    return [
      {
        workload,
        heapBytes: last.heapBytes - first.heapBytes,
        externalBytes: last.externalBytes - first.externalBytes,
        files: last.leftover.files - first.leftover.files,
        handles: last.handles - first.handles,
      },
    ];
  });
}

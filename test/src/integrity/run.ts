// One integrity run: a mesh of real processes, random exchanges through two proxies each, then a look at what is left.

import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Mesh, Running } from "../mesh.ts";

const folder = dirname(fileURLToPath(import.meta.url));

/** What to run. */
export interface IntegrityOptions {
  readonly seed: number;
  /** Index of the first plan. */
  readonly first: number;
  readonly requests: number;
  /** Exchanges at a time. */
  readonly lanes: number;
  /** Hears of progress. */
  readonly onProgress?: (line: string) => void;
}

/** What a proxy still holds when all is over. */
export interface Leftover {
  readonly workload: string;
  readonly exchanges: number;
  readonly tunnels: number;
  /** Connections of the application to its proxy. */
  readonly clientConnections: number;
  readonly activeOrWaiting: number;
  /** Connections kept for the next request. */
  readonly pooled: number;
  readonly files: number;
  readonly residentMb: number;
}

/** What came out. */
export interface IntegrityReport {
  readonly requests: number;
  readonly bytes: number;
  readonly kinds: Readonly<Record<string, number>>;
  /** One line of JSON for each wrong thing, of client and servers. */
  readonly wrong: readonly string[];
  readonly leftovers: readonly Leftover[];
  readonly seconds: number;
}

interface Connections {
  readonly live: { readonly exchanges: number; readonly tunnels: number };
  readonly workloads: readonly {
    readonly outbound: readonly unknown[];
    readonly inbound: readonly { readonly idle: boolean }[];
    readonly tunnels: number;
    readonly pools: readonly { readonly connections: number; readonly active: number; readonly waiting: number }[];
  }[];
}

/** Runs on a mesh whose control plane has been started. The mesh is the caller's to stop. */
export async function runIntegrity(mesh: Mesh, options: IntegrityOptions): Promise<IntegrityReport> {
  const servers = [serve(mesh, "h1", "http"), serve(mesh, "h2", "http2"), serve(mesh, "tcp", "tcp")];
  await mesh.until("three applications are ready", async () => {
    const rows = await workloads(mesh);
    return rows.filter((row) => row.ready).length === servers.length ? true : undefined;
  });
  const started = process.hrtime.bigint();
  const upstreams = ["h1", "h2", "tcp"].flatMap((name) => ["--upstream", name]);
  const { seed, first, requests, lanes } = options;
  const client = mesh.ripstop([
    "run",
    "--service",
    "caller",
    ...upstreams,
    "--",
    process.execPath,
    join(folder, "client.js"),
    ...[seed, first, requests, lanes].map(String),
  ]);
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
  const [line] = await Promise.race([client.printed(/^\{"summary":.*\}$/m), gone]);
  const summary = JSON.parse(line) as { summary: number; bytes: number; kinds: Record<string, number> };
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const leftovers = await settle(mesh);
  const wrong = [client, ...servers].flatMap((running) =>
    running
      .output()
      .split("\n")
      .filter((line) => line.startsWith('{"wrong"') || /proxy ended|Error/.test(line)),
  );
  return { requests: summary.summary, bytes: summary.bytes, kinds: summary.kinds, wrong, leftovers, seconds };
}

/** True when nothing is under way any more. */
export function isClean(leftover: Leftover): boolean {
  return (
    leftover.exchanges === 0 &&
    leftover.tunnels === 0 &&
    leftover.clientConnections === 0 &&
    leftover.activeOrWaiting === 0
  );
}

function serve(mesh: Mesh, name: string, protocol: string): Running {
  return mesh.ripstop([
    "run",
    "--service",
    name,
    "--port",
    "auto",
    "--protocol",
    protocol,
    "--",
    process.execPath,
    join(folder, "server.js"),
    name,
  ]);
}

/** A workload as the API shows it. */
export interface WorkloadRow {
  readonly id: string;
  readonly ready: boolean;
  readonly proxyPid: number;
}

/** All workloads that the control plane knows. */
export async function workloads(mesh: Mesh): Promise<readonly WorkloadRow[]> {
  return (JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as { workloads: WorkloadRow[] }).workloads;
}

/** Looks at every proxy until nothing is under way, at most 10 s. */
export async function settle(mesh: Mesh): Promise<readonly Leftover[]> {
  for (let attempt = 0; ; attempt++) {
    const found: Leftover[] = [];
    for (const row of (await workloads(mesh)).filter(({ proxyPid }) => proxyPid > 0)) found.push(await look(mesh, row));
    if (attempt === 100 || (found.length > 0 && found.every(isClean))) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function look(mesh: Mesh, row: WorkloadRow): Promise<Leftover> {
  const { live, workloads: hosted } = await connections(join(mesh.home, "run", row.id.replace("/", "_"), "admin.sock"));
  const pools = hosted.flatMap((one) => one.pools);
  return {
    workload: row.id,
    exchanges: live.exchanges,
    tunnels: live.tunnels + hosted.reduce((sum, one) => sum + one.tunnels, 0),
    clientConnections: hosted.reduce((sum, one) => sum + one.outbound.length, 0),
    activeOrWaiting:
      pools.reduce((sum, pool) => sum + pool.active + pool.waiting, 0) +
      hosted.flatMap((one) => one.inbound).filter((one) => !one.idle).length,
    pooled: pools.reduce((sum, pool) => sum + pool.connections, 0),
    files: readdirSync(`/proc/${row.proxyPid}/fd`).length,
    residentMb: Math.round(
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${row.proxyPid}/status`, "utf8"))?.[1] ?? 0) / 1024,
    ),
  };
}

function connections(socketPath: string): Promise<Connections> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path: "/connections" }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(JSON.parse(text) as Connections));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

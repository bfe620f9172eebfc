// What the proxies of a mesh hold when nothing should be under way any more.

import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import type { Mesh } from "../mesh.ts";

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
  /** Connections of peers that are open and idle. */
  readonly peers: number;
  /** Open files and sockets other than those in pools and those of peers. */
  readonly files: number;
  /** Which transport carries the connections: "raw", "onread" or "public". */
  readonly transport: string;
  readonly residentMb: number;
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

/** True when nothing is under way any more. */
export function isClean(leftover: Leftover): boolean {
  return (
    leftover.exchanges === 0 &&
    leftover.tunnels === 0 &&
    leftover.clientConnections === 0 &&
    leftover.activeOrWaiting === 0
  );
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

/** Longest wait for what is under way to end. */
const SETTLE_MS = 60_000;

/** Looks at every proxy until nothing is under way, at most a minute. */
export async function settle(mesh: Mesh): Promise<readonly Leftover[]> {
  const end = performance.now() + SETTLE_MS;
  for (;;) {
    const found: Leftover[] = [];
    for (const row of (await workloads(mesh)).filter(({ proxyPid }) => proxyPid > 0)) found.push(await look(mesh, row));
    if (performance.now() > end || (found.length > 0 && found.every(isClean))) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function look(mesh: Mesh, row: WorkloadRow): Promise<Leftover> {
  const adminSocket = join(mesh.home, "run", row.id.replace("/", "_"), "admin.sock");
  const { live, workloads: hosted } = JSON.parse(await get(adminSocket, "/connections")) as Connections;
  const pools = hosted.flatMap((one) => one.pools);
  const pooled = pools.reduce((sum, pool) => sum + pool.connections, 0);
  const peers = hosted.reduce((sum, one) => sum + one.inbound.length, 0);
  return {
    workload: row.id,
    exchanges: live.exchanges,
    tunnels: live.tunnels + hosted.reduce((sum, one) => sum + one.tunnels, 0),
    clientConnections: hosted.reduce((sum, one) => sum + one.outbound.length, 0),
    activeOrWaiting:
      pools.reduce((sum, pool) => sum + pool.active + pool.waiting, 0) +
      hosted.flatMap((one) => one.inbound).filter((one) => !one.idle).length,
    pooled,
    peers,
    files: readdirSync(`/proc/${row.proxyPid}/fd`).length - pooled - peers,
    transport:
      /^ripstop_transport_info\{[^}]*transport="([a-z]+)"/m.exec(await get(adminSocket, "/metrics"))?.[1] ?? "",
    residentMb: Math.round(
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${row.proxyPid}/status`, "utf8"))?.[1] ?? 0) / 1024,
    ),
  };
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(text));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

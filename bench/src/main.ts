// npm run bench [-- --rounds 5 --seconds 3 --row WORD]: the comparison table, printed as Markdown.

import { mkdtempSync, rmSync } from "node:fs";
import { arch, cpus, release, tmpdir, type as systemType } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { h2load, wrk } from "./load.ts";
import { envoy } from "./peers/envoy.ts";
import { haproxy } from "./peers/haproxy.ts";
import { nginx } from "./peers/nginx.ts";
import { hasProgram, type Peer } from "./peers/peer.ts";
import { ripstop } from "./peers/ripstop.ts";
import { measureRow, type Figures, type Row } from "./row.ts";
import { http1Upstreams, http2Upstreams } from "./upstream.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "3" }, row: { type: "string", default: "" }, peer: { type: "string", default: "" } } });
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

for (const tool of ["wrk", "h2load", "nginx", "nghttpd"]) {
  if (hasProgram(tool)) continue;
  process.stderr.write(`the benchmark needs ${tool}: apt-get install wrk nghttp2-client nghttp2-server nginx-light\n`);
  process.exit(1);
}

const candidates: readonly Peer[] = [ripstop, haproxy, nginx, envoy];
const peers = candidates.filter((peer) => peer.missing() === undefined && peer.name.includes(values.peer));
const folder = mkdtempSync(join(tmpdir(), "ripstop-bench-up-"));
const h1 = await http1Upstreams(3, join(folder, "h1"));
const h2 = await http2Upstreams(3, join(folder, "h2"));

const rows: readonly Row[] = [
  { title: "HTTP/1.1, 11 headers, 32 connections", protocol: "http1", upstreams: h1.ports, load: (port, s) => wrk(`http://127.0.0.1:${port}/api/items?page=2`, 32, s) },
  { title: "HTTP/2, 4 connections × 16 streams", protocol: "http2", upstreams: h2.ports, load: (port, s) => h2load(`http://127.0.0.1:${port}/`, { connections: 4, streams: 16, seconds: s }) },
  { title: "HTTP/2, 32 connections × 1 stream", protocol: "http2", upstreams: h2.ports, load: (port, s) => h2load(`http://127.0.0.1:${port}/`, { connections: 32, streams: 1, seconds: s }) },
];

try {
  const [processor] = cpus();
  process.stdout.write(`Machine: ${cpus().length} × ${processor?.model ?? "unknown"}, ${systemType()} ${release()} ${arch()}, Node ${process.versions.node}. Medians of ${rounds} interleaved rounds of ${seconds} s.\n`);
  for (const peer of candidates) {
    const missing = peer.missing();
    if (missing !== undefined) process.stdout.write(`Missing: ${peer.name} (${missing}).\n`);
  }
  for (const row of rows) {
    if (!row.title.includes(values.row)) continue;
    const able = peers.filter((peer) => !(row.protocol === "http2" && peer.name === "nginx"));
    print(row.title, await measureRow(row, able, rounds, seconds));
  }
} finally {
  await Promise.all([h1.stop(), h2.stop()]);
  rmSync(folder, { recursive: true, force: true });
}

function print(title: string, figures: readonly Figures[]): void {
  process.stdout.write(`\n### ${title}\n\n| proxy | CPU µs/request | user | system | requests/s | p50 ms | p99 ms | errors | RSS idle / loaded MB |\n|---|---|---|---|---|---|---|---|---|\n`);
  for (const f of figures) {
    const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);
    process.stdout.write(`| ${f.peer} ${f.version} | ${f.cpuUs.toFixed(1)} | ${f.userUs.toFixed(1)} | ${f.systemUs.toFixed(1)} | ${f.requestsPerSecond.toFixed(0)} | ${f.p50Ms.toFixed(2)} | ${f.p99Ms.toFixed(2)} | ${f.errors} | ${mb(f.residentIdle)} / ${mb(f.residentLoaded)} |\n`);
  }
}

// Does memory stay flat? Slices of many requests through a mesh of real processes; after each, with nothing under way and
// all garbage collected, what every proxy still holds.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "@ripstop/testkit";
import { settle, workloads } from "../integrity/look.ts";
import type { Mesh } from "../mesh.ts";
import { portPrinter } from "../peer-programs.ts";
import type { ProbeAnswer } from "./probe.ts";
import { lookInto, probeEnvironment, untilProbed } from "./proxies.ts";
import { riseOfLeast, slope } from "./slope.ts";

const exec = promisify(execFile);
const BODY = "x".repeat(95);
const MB = 1024 * 1024;
const FRESH_AT_ONCE = 100;

/** What to run. */
export interface HeapOptions {
  /** All requests together; rounded up to whole slices. */
  readonly requests: number;
  /** Requests between two looks. */
  readonly slice: number;
  /** Hears of progress, a line each. */
  readonly onProgress?: (line: string) => void;
}

/** One look at one proxy. */
export interface HeapSample extends ProbeAnswer {
  /** Requests so far. */
  readonly requests: number;
  /** The workload's service: "caller", "h1", "h2". */
  readonly proxy: string;
  /** Open file descriptors, without the connections kept for the next request. */
  readonly files: number;
  /** Those connections, of pools and of peers: they come and go as the pools will. */
  readonly kept: number;
}

/** The trend of one proxy between its first counted look and its last. Bytes and counts, as the best straight line has it. */
export interface HeapTrend {
  readonly proxy: string;
  readonly heapGrowth: number;
  readonly residentGrowth: number;
  readonly handleGrowth: number;
  readonly fileGrowth: number;
}

/** What came out. */
export interface HeapReport {
  readonly samples: readonly HeapSample[];
  readonly trends: readonly HeapTrend[];
  readonly requests: number;
  /** Requests that did not get an answer with status 2xx. */
  readonly failed: number;
  readonly seconds: number;
}

interface Load {
  readonly title: string;
  readonly port: number;
  /** Share of a slice. */
  readonly share: number;
  readonly flags: readonly string[];
  /** A new connection for every request. */
  readonly fresh?: boolean;
}

/** Heap, external memory included, may grow by this over all counted slices: less than a byte per request of a long run. */
export const MAX_HEAP_GROWTH: number = 1.5 * MB;
/** The allocator keeps pages as it likes; only what does not stop growing exceeds this. */
export const MAX_RESIDENT_GROWTH: number = 16 * MB;
/** Handles and files of things that come and go, timers for example. */
export const MAX_HANDLE_GROWTH = 4;

/** Runs on a mesh whose control plane has been started. The mesh is the caller's to stop. Needs nginx, nghttpd and h2load. */
export async function runHeap(mesh: Mesh, options: HeapOptions): Promise<HeapReport> {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-heap-"));
  try {
    return await run(mesh, options, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(mesh: Mesh, options: HeapOptions, folder: string): Promise<HeapReport> {
  const outsidePort = await startOutside(mesh);
  const probes = join(folder, "probes");
  const env = probeEnvironment(probes);
  const www = join(folder, "www");
  mkdirSync(www);
  writeFileSync(join(www, "index.html"), BODY);
  const serve = (name: string, protocol: string, command: string): void => {
    const run = ["run", "--service", name, "--port", "auto", "--protocol", protocol];
    mesh.ripstop([...run, "--", "sh", "-c", command], env);
  };
  serve("h1", "http", nginx("$PORT"));
  serve("h2", "http2", `exec nghttpd --no-tls --trailer 'x-end: 1' -a 127.0.0.1 -d ${www} $PORT`);
  await mesh.until("both services are ready", async () => {
    const ready = (await workloads(mesh)).filter((row) => row.ready);
    return ready.length === 2 ? true : undefined;
  });
  const upstreams = ["h1", "h2", `127.0.0.1:${outsidePort}`].flatMap((name) => ["--upstream", name]);
  const caller = mesh.ripstop(
    ["run", "--service", "caller", ...upstreams, "--", process.execPath, "--eval", portPrinter],
    env,
  );
  const [line] = await caller.printed(/^\{"ports".*\}$/m);
  await untilProbed(mesh, probes, 3);
  const { ports } = JSON.parse(line) as { ports: Record<string, number> };
  const [h1 = 0, h2 = 0, plain = 0] = [ports["H1"], ports["H2"], ports["127_0_0_1"]];
  const http1 = ["--h1", "-c", "32"];
  const http2 = ["-c", "4", "-m", "16"];
  const loads: readonly Load[] = [
    { title: "HTTP/1.1 to HTTP/1.1 over a mesh hop", port: h1, share: 0.2, flags: http1 },
    { title: "HTTP/2 to HTTP/2 over a mesh hop", port: h2, share: 0.3, flags: http2 },
    { title: "HTTP/2 to HTTP/1.1 over a mesh hop", port: h1, share: 0.1, flags: http2 },
    { title: "HTTP/1.1 to HTTP/2 over a mesh hop", port: h2, share: 0.1, flags: http1 },
    { title: "HTTP/1.1 through one proxy", port: plain, share: 0.2, flags: http1 },
    { title: "HTTP/2 to HTTP/1.1 through one proxy", port: plain, share: 0.08, flags: http2 },
    { title: "a connection for each request of HTTP/1.1", port: h1, share: 0.01, flags: ["--h1"], fresh: true },
    { title: "a connection for each request of HTTP/2", port: h2, share: 0.01, flags: [], fresh: true },
  ];
  const started = process.hrtime.bigint();
  const samples: HeapSample[] = [...(await look(mesh, probes, 0))];
  let requests = 0;
  let failed = 0;
  while (requests < options.requests) {
    for (const load of loads) {
      const { title } = load;
      const count = Math.ceil(options.slice * load.share);
      const bad = count - (await succeeded(load, count));
      if (bad > 0) options.onProgress?.(`${title}: ${bad} of ${count} failed`);
      failed += bad;
      requests += count;
    }
    const found = await look(mesh, probes, requests);
    samples.push(...found);
    for (const sample of found) options.onProgress?.(sampleRow(sample));
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  return { samples, trends: trendsOf(samples), requests, failed, seconds };
}

/** A server outside of the mesh; its port. On another one when somebody takes the port before it does. */
async function startOutside(mesh: Mesh): Promise<number> {
  for (;;) {
    const port = await freePort();
    const outside = mesh.program("sh", ["-c", nginx("$PORT")], { PORT: String(port) });
    let hasEnded = false;
    void outside.ended.then(() => (hasEnded = true));
    const answers = await mesh.until("the server outside answers, or has ended", () =>
      hasEnded ? false : accepts(port).then((isOpen) => isOpen || undefined),
    );
    if (answers && !hasEnded) return port;
    if (!outside.output().includes("Address already in use")) throw new Error(outside.output());
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** How many of `count` requests were answered 2xx. */
async function succeeded(load: Load, count: number): Promise<number> {
  const once = load.fresh === true ? FRESH_AT_ONCE : count;
  let found = 0;
  for (let left = count; left > 0; left -= once) found += await h2load(load, Math.min(once, left));
  return found;
}

async function h2load({ port, flags, fresh }: Load, count: number): Promise<number> {
  const connections = fresh === true ? ["-c", String(count)] : [];
  const args = ["-t1", "-n", String(count), ...connections, ...flags, `http://127.0.0.1:${port}/`];
  const { stdout } = await exec("h2load", args, { maxBuffer: 16 * MB });
  return Number(/status codes: ([0-9]+) 2xx/.exec(stdout)?.[1] ?? 0);
}

async function look(mesh: Mesh, probes: string, requests: number): Promise<readonly HeapSample[]> {
  const leftovers = await settle(mesh);
  const samples: HeapSample[] = [];
  for (const row of await workloads(mesh)) {
    const { files = 0, pooled = 0, peers = 0 } = leftovers.find(({ workload }) => workload === row.id) ?? {};
    const answer = await lookInto(probes, row.proxyPid);
    const proxy = row.id.replace(/^[^/]*\//, "").replace(/-[^-]*$/, "");
    samples.push({ ...answer, requests, proxy, files, kept: pooled + peers });
  }
  return samples.sort((a, b) => (a.proxy < b.proxy ? -1 : 1));
}

/** The trend of each proxy. The first tenth warms up: code is compiled, tables and pools take their size. */
export function trendsOf(samples: readonly HeapSample[]): readonly HeapTrend[] {
  const last = Math.max(...samples.map(({ requests }) => requests));
  const counted = samples.filter(({ requests }) => requests > 0 && requests >= last / 10);
  const first = Math.min(...counted.map(({ requests }) => requests));
  return [...new Set(counted.map(({ proxy }) => proxy))].map((proxy) => {
    const own = counted.filter((sample) => sample.proxy === proxy);
    const growth = (of: (sample: HeapSample) => number): number =>
      slope(own.map((sample) => ({ x: sample.requests, y: of(sample) }))) * (last - first);
    return {
      proxy,
      heapGrowth: growth(({ heapUsed, external }) => heapUsed + external),
      residentGrowth: growth(({ resident }) => resident),
      handleGrowth: riseOfLeast(own.map(handlesOf)),
      fileGrowth: riseOfLeast(own.map(({ files }) => files)),
    };
  });
}

/** What is not flat in a report, in words; nothing when all is. */
export function problemsOf({ trends, failed }: HeapReport): readonly string[] {
  const problems = failed === 0 ? [] : [`${failed} requests failed`];
  for (const { proxy, heapGrowth, residentGrowth, handleGrowth, fileGrowth } of trends) {
    if (heapGrowth > MAX_HEAP_GROWTH) problems.push(`the heap of ${proxy} grew by ${megabytes(heapGrowth)} MB`);
    if (residentGrowth > MAX_RESIDENT_GROWTH)
      problems.push(`${proxy} grew by ${megabytes(residentGrowth)} MB resident`);
    if (handleGrowth > MAX_HANDLE_GROWTH) problems.push(`${proxy} has ${handleGrowth.toFixed(0)} more handles`);
    if (fileGrowth > MAX_HANDLE_GROWTH) problems.push(`${proxy} has ${fileGrowth.toFixed(0)} more files`);
  }
  return trends.length === 0 ? [...problems, "no proxy was looked at"] : problems;
}

/** The head of a Markdown table of samples. */
export const sampleHead =
  "| requests | proxy | heap MB | external MB | RSS MB | handles | files |\n|---:|---|---:|---:|---:|---:|---:|";

/** One sample as a row of it. */
export function sampleRow(sample: HeapSample): string {
  const { requests, proxy, heapUsed, external, resident, files } = sample;
  return `| ${requests} | ${proxy} | ${megabytes(heapUsed)} | ${megabytes(external)} | ${megabytes(resident)} | ${handlesOf(sample)} | ${files} |`;
}

/** One trend in words. */
export function trendLine({ proxy, heapGrowth, residentGrowth, handleGrowth, fileGrowth }: HeapTrend): string {
  const counts = `${handleGrowth.toFixed(1)} handles, ${fileGrowth.toFixed(1)} files`;
  return `${proxy}: heap ${megabytes(heapGrowth)} MB, resident ${megabytes(residentGrowth)} MB, ${counts}`;
}

function handlesOf({ resources, kept }: HeapSample): number {
  return Object.values(resources).reduce((sum, count) => sum + count, -kept);
}

function megabytes(bytes: number): string {
  return (bytes / MB).toFixed(2);
}

/** nginx that answers 95 bytes, as source for `sh -c`. */
function nginx(port: string): string {
  return `
d=$(mktemp -d)
cat > $d/nginx.conf <<END
daemon off; master_process off; pid $d/pid; error_log stderr warn;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000; client_body_temp_path $d/b; proxy_temp_path $d/p; fastcgi_temp_path $d/f; uwsgi_temp_path $d/u; scgi_temp_path $d/s;
  server { listen 127.0.0.1:${port}; location / { default_type text/plain; return 200 "${BODY}"; } } }
END
trap 'kill $n; wait $n; rm -rf $d; exit 0' TERM; nginx -c $d/nginx.conf & n=$!; wait $n
`;
}

// Load from the public tools wrk (HTTP/1.1) and h2load (HTTP/2), their output read into figures.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** What one run of load did. */
export interface LoadResult {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  /** Latencies in milliseconds by column key, as far as the tool tells them. */
  readonly latency: Readonly<Record<string, number>>;
}

/** The eleven fields of a usual request through a mesh, about 700 bytes. */
export const realisticHeaders: readonly (readonly [string, string])[] = [
  [
    "user-agent",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
  ],
  ["accept", "application/json, text/plain, */*"],
  ["accept-language", "en-GB,en;q=0.9,de;q=0.8"],
  ["accept-encoding", "gzip, deflate, br, zstd"],
  [
    "authorization",
    "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkphbmUgRG9lIn0.c2lnbmF0dXJl",
  ],
  ["cookie", "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=all"],
  ["referer", "https://shop.example.com/catalog/books/4711"],
  ["x-tenant", "blue-42"],
  ["cache-control", "no-cache"],
  ["content-type", "application/json"],
];

/** HTTP/1.1 load with wrk: `connections` keep-alive connections for `seconds`. */
export async function wrk(url: string, connections: number, seconds: number): Promise<LoadResult> {
  const headers = realisticHeaders.flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const { stdout } = await exec("wrk", ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", ...headers, url], {
    maxBuffer: 1 << 20,
  });
  const done = /([0-9]+) requests in ([0-9.]+)s/.exec(stdout);
  const socketErrors = /Socket errors: connect ([0-9]+), read ([0-9]+), write ([0-9]+), timeout ([0-9]+)/.exec(stdout);
  const badStatus = /Non-2xx or 3xx responses: ([0-9]+)/.exec(stdout);
  return {
    requests: Number(done?.[1] ?? 0),
    errors: Number(badStatus?.[1] ?? 0) + (socketErrors?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0),
    seconds: Number(done?.[2] ?? seconds),
    latency: {
      p50Ms: milliseconds(/50%\s+([0-9.]+[a-z]+)/.exec(stdout)?.[1]),
      p99Ms: milliseconds(/99%\s+([0-9.]+[a-z]+)/.exec(stdout)?.[1]),
    },
  };
}

/** How h2load is to load. */
export interface H2Load {
  readonly connections: number;
  readonly streams: number;
  readonly seconds: number;
  /** File to POST; without it, GET. */
  readonly bodyFile?: string;
  readonly headers?: readonly (readonly [string, string])[];
}

/** HTTP/2 prior-knowledge load with h2load. It tells the mean latency and no percentiles. */
export async function h2load(url: string, load: H2Load): Promise<LoadResult> {
  const args = ["-t1", `-c${load.connections}`, `-m${load.streams}`, `-D${load.seconds}`, "--warm-up-time=0"];
  for (const [name, value] of load.headers ?? realisticHeaders) args.push("-H", `${name}: ${value}`);
  if (load.bodyFile !== undefined) args.push("-d", load.bodyFile);
  const { stdout } = await exec("h2load", [...args, url], { maxBuffer: 1 << 20 });
  const counts =
    /requests: [0-9]+ total, [0-9]+ started, ([0-9]+) done, ([0-9]+) succeeded, ([0-9]+) failed, ([0-9]+) errored/.exec(
      stdout,
    );
  const time = /time for request:\s+([0-9.]+[a-z]+)\s+([0-9.]+[a-z]+)\s+([0-9.]+[a-z]+)/.exec(stdout);
  return {
    requests: Number(counts?.[1] ?? 0),
    errors: Number(counts?.[3] ?? 0),
    seconds: load.seconds,
    latency: { meanMs: milliseconds(time?.[3]) },
  };
}

function milliseconds(text: string | undefined): number {
  const match = /^([0-9.]+)(us|ms|s)$/.exec(text ?? "");
  if (!match) return Number.NaN;
  return Number(match[1]) * (match[2] === "us" ? 0.001 : match[2] === "ms" ? 1 : 1000);
}

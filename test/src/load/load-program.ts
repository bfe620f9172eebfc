// An application that asks at a steady rate, whatever comes back (open loop), through the HTTP proxy of its environment.
// Arguments: URL, requests a second, and "get" or "mixed" (every third request is a POST with a body). Commands on standard
// input, one a line: "rate N", "report", "report PHASE", "stop". Answers each "report" by one line of JSON and counts anew;
// with a phase, all requests from that report on name it in the header "x-phase".

import { Agent, request } from "node:http";
import { createInterface } from "node:readline";

/** What one report says. */
export interface LoadReport {
  readonly sent: number;
  readonly ok: number;
  /** By status; "0" are broken connections. */
  readonly failed: Readonly<Record<string, number>>;
  /** The first failures in words. */
  readonly examples: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Asked and not answered yet. */
  readonly open: number;
  readonly seconds: number;
}

const [url = "", firstRate = "0", mode = "get"] = process.argv.slice(2);
const proxy = new URL(process.env["HTTP_PROXY"] ?? "http://127.0.0.1:1");
const target = new URL(url);
const agent = new Agent({ keepAlive: true, maxSockets: 512 });
const BODY = "x".repeat(2_000);
const TICK_MS = 5;
const MAX_EXAMPLES = 5;

let rate = Number(firstRate);
let owed = 0;
let count = 0;
let open = 0;
let sent = 0;
let ok = 0;
let failed: Record<string, number> = {};
let examples: string[] = [];
let latencies: number[] = [];
let sinceMs = performance.now();
let tickedMs = performance.now();
let stopping = false;
let phase: Readonly<Record<string, string>> = {};

function ask(): void {
  const post = mode === "mixed" && count++ % 3 === 0;
  const startMs = performance.now();
  sent++;
  open++;
  let isOver = false;
  const over = (status: number, body: string): void => {
    if (isOver) return;
    isOver = true;
    open--;
    latencies.push(performance.now() - startMs);
    if (status === 200) ok++;
    else {
      failed[status] = (failed[status] ?? 0) + 1;
      if (examples.length < MAX_EXAMPLES) examples.push(`${post ? "POST" : "GET"} ${status} ${body.slice(0, 300)}`);
    }
    if (stopping && open === 0) process.exit(0);
  };
  const outgoing = request(
    {
      agent,
      host: proxy.hostname,
      port: proxy.port,
      method: post ? "POST" : "GET",
      path: url,
      headers: { host: target.host, ...phase },
    },
    (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text.length < 1_000 ? (text += chunk.toString()) : undefined));
      response.on("end", () => over(response.statusCode ?? 0, text));
      response.on("error", (error) => over(0, `answer: ${error.message}`));
    },
  );
  outgoing.on("error", (error) => over(0, error.message));
  outgoing.end(post ? BODY : undefined);
}

setInterval(() => {
  const now = performance.now();
  owed += (rate * (now - tickedMs)) / 1000;
  tickedMs = now;
  for (; owed >= 1; owed--) ask();
}, TICK_MS);

function report(): LoadReport {
  const sorted = latencies.toSorted((a, b) => a - b);
  const now = performance.now();
  const made: LoadReport = {
    sent,
    ok,
    failed,
    examples,
    p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? 0,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    open,
    seconds: (now - sinceMs) / 1000,
  };
  sinceMs = now;
  sent = 0;
  ok = 0;
  failed = {};
  examples = [];
  latencies = [];
  return made;
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const [command, value] = line.split(" ");
  if (command === "rate") rate = Number(value);
  else if (command === "report") {
    process.stdout.write(`load ${JSON.stringify(report())}\n`);
    if (value !== undefined) phase = { "x-phase": value };
  } else if (command === "stop") {
    rate = 0;
    stopping = true;
    if (open === 0) process.exit(0);
  }
});
process.on("SIGTERM", () => process.exit(0));
process.stdout.write("load ready\n");

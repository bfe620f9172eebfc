// A service with a capacity: it works on so many requests at a time, so many milliseconds each; more of them wait in a queue.
// It does not notice when a caller has given up, as most services do not. Arguments: how many at a time, milliseconds each.
// Commands on standard input, one a line: "fail PERCENT", "report". Answers each "report" by one line of JSON.

import { createServer, type ServerResponse } from "node:http";
import { createInterface } from "node:readline";

/** What one report says. */
export interface UpstreamReport {
  /** Requests that arrived so far, by the phase that they name. */
  readonly arrived: Readonly<Record<string, number>>;
  /** Requests that are worked on, and those that wait. */
  readonly busy: number;
  readonly queued: number;
}

const atATime = Number(process.argv[2]);
const workMs = Number(process.argv[3]);
const MAX_QUEUE = 2_000;

let failShare = 0;
let busy = 0;
const arrived: Record<string, number> = {};
/** Which requests fail is spread evenly: every second one with 50 %. */
let failing = 0;
const queue: ServerResponse[] = [];

function finish(response: ServerResponse): void {
  busy--;
  failing += failShare;
  if (failing >= 1) {
    failing--;
    response.statusCode = 503;
  }
  response.end("done");
  const next = queue.shift();
  if (next !== undefined) work(next);
}

function work(response: ServerResponse): void {
  busy++;
  setTimeout(() => finish(response), workMs);
}

createServer((request, response) => {
  const phase = String(request.headers["x-phase"] ?? "");
  arrived[phase] = (arrived[phase] ?? 0) + 1;
  request.resume();
  if (busy < atATime) work(response);
  else if (queue.length < MAX_QUEUE) queue.push(response);
  else {
    response.statusCode = 503;
    response.end("full");
  }
}).listen(Number(process.env["PORT"]), "127.0.0.1");

createInterface({ input: process.stdin }).on("line", (line) => {
  const [command, value] = line.split(" ");
  if (command === "fail") failShare = Number(value) / 100;
  else if (command === "report") {
    const told: UpstreamReport = { arrived, busy, queued: queue.length };
    process.stdout.write(`upstream ${JSON.stringify(told)}\n`);
  }
});
process.on("SIGTERM", () => process.exit(0));
process.stdout.write("upstream ready\n");

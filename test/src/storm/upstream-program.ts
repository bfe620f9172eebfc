// A service with a capacity: it works on so many requests at a time, so many milliseconds each; more of them wait in a queue.
// It does not notice when a caller has given up, as most services do not. Arguments: how many at a time, milliseconds each.
// Commands on standard input, one a line: "fail PERCENT", "report". Answers each "report" by one line of JSON.

import { createServer, type ServerResponse } from "node:http";
import { createInterface } from "node:readline";

/** What one report says. */
export interface UpstreamReport {
  /** Requests that arrived. */
  readonly arrived: number;
  /** Requests that were worked on. */
  readonly worked: number;
  readonly queued: number;
}

const atATime = Number(process.argv[2]);
const workMs = Number(process.argv[3]);
const MAX_QUEUE = 2_000;

let failShare = 0;
let busy = 0;
let arrived = 0;
let worked = 0;
/** Which requests fail is spread evenly: every second one with 50 %. */
let failing = 0;
const queue: ServerResponse[] = [];

function finish(response: ServerResponse): void {
  busy--;
  worked++;
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
  arrived++;
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
    process.stdout.write(`upstream ${JSON.stringify({ arrived, worked, queued: queue.length })}\n`);
    arrived = 0;
    worked = 0;
  }
});
process.on("SIGTERM", () => process.exit(0));
process.stdout.write("upstream ready\n");

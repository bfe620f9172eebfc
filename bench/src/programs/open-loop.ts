// HTTP/1.1 load at a fixed rate: requests start when they are due, whether earlier ones are answered or not, and latency
// counts from the moment at which a request was due. Options: OpenLoopOptions; result: microseconds.

import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { LatencyHistogram } from "../latency-histogram.ts";
import { finish, nowMs, programOptions } from "./program.ts";
import { Http1Answers } from "./http1-answers.ts";

interface OpenLoopOptions {
  readonly port: number;
  readonly ratePerSecond: number;
  readonly seconds: number;
  readonly connections: number;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
}

const options = programOptions<OpenLoopOptions>();
/** Requests still out after this long count as errors. */
const PATIENCE_MS = 2_000;
const LEAD_MS = 100;
const total = Math.floor(options.ratePerSecond * options.seconds);
const lines = options.headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
const request = Buffer.from(`GET ${options.path} HTTP/1.1\r\nhost: 127.0.0.1:${options.port}\r\n${lines}\r\n`);
const latencies = new LatencyHistogram();
const lateness = new LatencyHistogram();
const idle: Client[] = [];
let originMs = 0;
let due = 0;
let sent = 0;
let answered = 0;
let errors = 0;

class Client {
  readonly #socket: Socket;
  #dueMs = 0;

  constructor() {
    const answers = new Http1Answers((status) => this.#onAnswer(status));
    this.#socket = connect({
      port: options.port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(16_384),
        callback: (count, buffer) => answers.push(Buffer.from(buffer.buffer, buffer.byteOffset, count)),
      },
    });
    this.#socket.once("connect", () => release(this));
    this.#socket.once("error", () => errors++);
  }

  send(dueMs: number): void {
    this.#dueMs = dueMs;
    this.#socket.write(request);
  }

  #onAnswer(status: number): void {
    if (status === 200) latencies.record((nowMs() - this.#dueMs) * 1000);
    else errors++;
    answered++;
    release(this);
    if (answered === total) report();
  }
}

function release(client: Client): void {
  idle.push(client);
  pump();
  if (originMs === 0 && idle.length === options.connections) begin();
}

/** Sends what is due on the connection that was used last; without a free one, it waits and its latency grows. */
function pump(): void {
  while (sent < due) {
    const client = idle.pop();
    if (client === undefined) return;
    client.send(dueTime(sent));
    sent++;
  }
}

function dueTime(request: number): number {
  return originMs + (request * 1000) / options.ratePerSecond;
}

function begin(): void {
  originMs = nowMs() + LEAD_MS;
  const { ratePerSecond, seconds } = options;
  const worker = new Worker(new URL("./pacer.js", import.meta.url), {
    workerData: { ratePerSecond, seconds, originMs },
  });
  worker.on("message", (count: number) => {
    due = count;
    lateness.record((nowMs() - dueTime(count - 1)) * 1000);
    pump();
  });
  setTimeout(report, LEAD_MS + seconds * 1000 + PATIENCE_MS);
}

function report(): void {
  finish({
    requests: answered,
    errors: errors + total - answered,
    p50Us: latencies.percentile(0.5),
    p90Us: latencies.percentile(0.9),
    p99Us: latencies.percentile(0.99),
    p999Us: latencies.percentile(0.999),
    maxUs: latencies.maxUs,
    latenessP99Us: lateness.percentile(0.99),
  });
}

for (let at = 0; at < options.connections; at++) new Client();

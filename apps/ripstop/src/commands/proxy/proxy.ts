// What the subcommands of `ripstop proxy` do: they speak HTTP with the proxy's admin socket.

import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { basename, join } from "node:path";
import { meshHome, stateDirectoryOf, supervisorPidFile } from "@ripstop/agent-engine";
import { err, holdProcess, ok, sleep, systemClock, type Result } from "@ripstop/core";
import { stateFiles } from "@ripstop/model";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { formatOutput } from "../../output/format.ts";
import { printable } from "../../output/table.ts";
import { endpointsOf, endpointsTable } from "./endpoints.ts";

/** Options of `ripstop proxy show`. */
export type ShowOptions = HomeOption & OutputOption;

/** Options of `ripstop proxy profile`. */
export interface ProfileOptions extends HomeOption {
  readonly seconds: string;
  readonly file?: string;
}

const MAX_ANSWER_BYTES = 512 * 1024 * 1024;
const RESTART_WAIT_MS = 40_000;
const LOOK_AGAIN_MS = 100;
const SUFFIXES: Readonly<Record<string, string>> = { cpu: "cpuprofile", heap: "heapprofile", snapshot: "heapsnapshot" };

/** Prints a view; the exit code. "ready" fails when the proxy is not. */
export async function show(proxy: string, what: string, options: ShowOptions): Promise<number> {
  const answer = await ask("GET", `/${what === "endpoints" ? "config" : what}`, { proxy, options });
  if (!answer.ok) return failed(answer.error);
  if (what === "metrics") {
    process.stdout.write(answer.value.body);
    return exitCodes.done;
  }
  const value: unknown = JSON.parse(answer.value.body);
  if (what === "endpoints" && answer.value.status === 200) {
    const endpoints = endpointsOf(value);
    process.stdout.write(await formatOutput(options.output, endpoints, () => endpointsTable(endpoints)));
    return exitCodes.done;
  }
  const { stringify } = await import("yaml");
  process.stdout.write(await formatOutput(options.output, value, () => stringify(value, { lineWidth: 0 })));
  return answer.value.status === 200 ? exitCodes.done : exitCodes.failed;
}

/** Prints the level, after setting it when one is given. */
export async function logLevel(proxy: string, level: string | undefined, options: HomeOption): Promise<number> {
  const answer = await (level === undefined
    ? ask("GET", "/log-level", { proxy, options })
    : ask("POST", `/log-level?level=${level}`, { proxy, options }));
  return finish(answer, (body) => `${String(fieldOf(body, "level"))}\n`);
}

/** Takes a profile and writes it to a file. */
export async function profile(proxy: string, kind: string, options: ProfileOptions): Promise<number> {
  const answer = await ask("POST", `/profile/${kind}?seconds=${encodeURIComponent(options.seconds)}`, {
    proxy,
    options,
  });
  const file = options.file ?? `${basename(directoryOf(proxy, options))}.${SUFFIXES[kind] ?? kind}`;
  return finish(answer, (body) => {
    writeFileSync(file, body, { mode: 0o600 });
    return `${file}\n`;
  });
}

/** Kept when inbound work is finished. */
export async function drain(proxy: string, options: HomeOption & { readonly deadline: number }): Promise<number> {
  return finish(await ask("POST", `/drain?deadline-ms=${options.deadline}`, { proxy, options }), () => "drained\n");
}

/** Asks the supervisor for a new process, and waits until that one answers. */
export async function restart(proxy: string, options: HomeOption): Promise<number> {
  const directory = directoryOf(proxy, options);
  const before = await health(directory);
  if (!before.ok) return failed(before.error);
  try {
    process.kill(Number(readFileSync(join(directory, supervisorPidFile), "utf8")), "SIGUSR2");
  } catch {
    return failed("this proxy has no supervisor: it is one process; start it with --workers 1 to have it replaced");
  }
  const hold = holdProcess();
  try {
    return await newProcess(directory, before.value);
  } finally {
    hold.clear();
  }
}

async function newProcess(directory: string, before: number): Promise<number> {
  for (let waitedMs = 0; waitedMs < RESTART_WAIT_MS; waitedMs += LOOK_AGAIN_MS) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    await sleep(systemClock, LOOK_AGAIN_MS);
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    const now = await health(directory);
    if (!now.ok || now.value === before) continue;
    process.stdout.write(`process ${now.value} has taken over from ${before}\n`);
    return exitCodes.done;
  }
  return failed("no new process took over; the supervisor's messages say why");
}

interface Target {
  readonly proxy: string;
  readonly options: HomeOption;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Of a path, that directory; else that of the workload. */
function directoryOf(proxy: string, { home }: HomeOption): string {
  return /^\.{0,2}\//.test(proxy) ? proxy : stateDirectoryOf(meshHome(home, process.env), proxy);
}

function ask(method: string, path: string, { proxy, options }: Target): Promise<Result<Answer, string>> {
  return call(method, path, directoryOf(proxy, options));
}

async function health(directory: string): Promise<Result<number, string>> {
  const answer = await call("GET", "/health", directory);
  return answer.ok ? ok(Number(fieldOf(answer.value.body, "pid"))) : answer;
}

function call(method: string, path: string, directory: string): Promise<Result<Answer, string>> {
  const socketPath = join(directory, stateFiles.adminSocket);
  return new Promise((resolve) => {
    const outgoing = request({ socketPath, method, path, headers: { host: "proxy" }, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= MAX_ANSWER_BYTES) chunks.push(chunk);
        else outgoing.destroy(new Error("the answer is too large"));
      });
      response.on("end", () =>
        resolve(ok({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") })),
      );
      response.on("error", (cause) => resolve(err(cause.message)));
    });
    outgoing.on("error", (cause) =>
      resolve(err(`the proxy does not answer on ${printable(socketPath)}: ${cause.message}; does the workload run?`)),
    );
    outgoing.end();
  });
}

function finish(answer: Result<Answer, string>, done: (body: string) => string): number {
  if (!answer.ok) return failed(answer.error);
  const { status, body } = answer.value;
  if (status !== 200) return failed(String(fieldOf(body, "error")));
  process.stdout.write(done(body));
  return exitCodes.done;
}

function failed(cause: string): number {
  process.stderr.write(`ripstop: ${printable(cause)}\n`);
  return exitCodes.failed;
}

function fieldOf(body: string, name: string): unknown {
  const value: unknown = JSON.parse(body);
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

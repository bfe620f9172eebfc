// Child processes of the benchmark: started, waited for, and all ended with it.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Launch } from "./peers/peer.ts";
import { processTree } from "./process-usage.ts";

/** A running server. */
export interface RunningServer {
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const POLL_MS = 10;
const START_LIMIT_MS = 15_000;
const KILL_AFTER_MS = 3_000;
const children = new Set<ChildProcess>();

/** Ends all children with this process, however it ends. Call once. */
export function endChildrenWithUs(): void {
  process.on("exit", () => {
    for (const child of children) child.kill("SIGKILL");
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
}

/** Whether a program is on the PATH. */
export function hasProgram(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
}

/** Starts a command without waiting; `output` gives the last of what it wrote. */
export function startChild({ command, args, env = process.env }: Launch): {
  readonly child: ChildProcess;
  output(): string;
} {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
  children.add(child);
  child.once("exit", () => children.delete(child));
  let output = "";
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-2000);
  };
  child.on("error", (error) => keep(Buffer.from(String(error))));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  return { child, output: () => output };
}

/** Starts a server and waits until `port` accepts connections. Rejects with its output when it ends before. */
export async function startServer(launch: Launch, port: number): Promise<RunningServer> {
  const { child, output } = startChild(launch);
  const started = Date.now();
  while (Date.now() - started < START_LIMIT_MS) {
    if (child.exitCode !== null || child.pid === undefined)
      throw new Error(`${launch.command} ended with ${child.exitCode}: ${output()}`);
    if (await accepts(port)) return { pids: processTree(child.pid), stop: () => stopChild(child) };
    await pause(POLL_MS);
  }
  child.kill("SIGKILL");
  throw new Error(`${launch.command} did not listen on ${port} within ${START_LIMIT_MS} ms: ${output()}`);
}

/** Ends a child and waits until it is gone. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
  await gone;
  clearTimeout(force);
}

/** A program of ours (`src/programs/NAME.ts`) as a command; its options travel as JSON. */
export function ownProgram(name: string, options: object): Launch {
  const file = join(dirname(fileURLToPath(import.meta.url)), "programs", `${name}.js`);
  return { command: process.execPath, args: ["--max-semi-space-size=32", file, JSON.stringify(options)] };
}

/** Runs a program of ours to its end and returns the JSON that it prints. Rejects when it fails. */
export async function runProgram(name: string, options: object): Promise<Readonly<Record<string, number>>> {
  const { child, output } = startChild(ownProgram(name, options));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${output()}`);
  return JSON.parse(output()) as Record<string, number>;
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A loopback port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

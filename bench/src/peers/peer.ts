// One proxy under measurement, ours or another's.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createServer, connect } from "node:net";

/** A running proxy. */
export interface RunningPeer {
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** What a proxy is asked to do: forward what arrives on `listen` to the upstreams in turn, with all mesh duties. */
export interface Assignment {
  readonly protocol: "http1" | "http2" | "tcp";
  readonly listen: number;
  readonly upstreams: readonly number[];
  /** Empty folder for config files. */
  readonly folder: string;
}

/** A kind of proxy that can be measured. */
export interface Peer {
  readonly name: string;
  /** Undefined when the program is here; else how to install it. */
  missing(): string | undefined;
  version(): string;
  start(assignment: Assignment): Promise<RunningPeer>;
}

/** Whether a program is on the PATH. */
export function hasProgram(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
}

/** Starts a program and waits until `port` accepts connections. Rejects with its output when it ends before. */
export async function startAndWait(command: string, args: readonly string[], port: number, env: NodeJS.ProcessEnv = process.env): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
  let output = "";
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  for (let attempt = 0; attempt < 400; attempt++) {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}:\n${output}`);
    if (await accepts(port)) return child;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  child.kill("SIGKILL");
  throw new Error(`${command} did not listen on ${port} within 10 s:\n${output}`);
}

/** Ends a child and waits until it is gone. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), 3000);
  await gone;
  clearTimeout(force);
}

/** A loopback port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port"))));
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

// A real mesh for end-to-end tests: the built executable, its own home folder, every process ended afterwards.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's top folder. */
export const root: string = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** The executable as users get it. */
export const executable: string = join(root, "apps/ripstop/dist/bundle/ripstop.js");

/** A process with everything it printed. */
export interface Running {
  readonly child: ChildProcess;
  /** Output and errors so far. */
  output(): string;
  /** Resolves with the exit code (128 + signal number is not applied: null for a signal). */
  readonly ended: Promise<number | null>;
  /** Resolves once the output matches; rejects with the output when the process ends first. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Starts a program and keeps its output. */
export function start(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Running {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  let text = "";
  const waiting = new Set<() => void>();
  const keep = (chunk: Buffer): void => {
    text += chunk.toString();
    for (const wake of waiting) wake();
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const ended = once(child, "close").then(([code]: unknown[]) => (typeof code === "number" ? code : null));
  void ended.then(() => {
    for (const wake of waiting) wake();
  });
  return {
    child,
    output: () => text,
    ended,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(text);
          if (match) resolve(match);
          else if (child.exitCode !== null || child.signalCode !== null)
            reject(new Error(`${command} ${args.join(" ")} ended before it printed ${pattern}:\n${text}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
  };
}

/** What `control.json` in the mesh home says. */
export interface ControlFile {
  readonly pid: number;
  readonly apiSocket: string;
  readonly streamAddress: string;
  readonly dashboardUrl: string;
  readonly trustDomain: string;
}

/** One mesh: a home folder, a control plane, applications. */
export class Mesh {
  readonly home: string = mkdtempSync(join(tmpdir(), "ripstop-test-"));
  readonly #running = new Set<Running>();
  control: Running | undefined;

  /** Starts the control plane, with more arguments and environment if given, and waits until its API answers. */
  async startControl(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<void> {
    this.control = this.ripstop(["control", ...args], env);
    const file = join(this.home, "control.json");
    for (;;) {
      if (existsSync(file)) {
        try {
          if ((await this.api("GET", "/healthz")).status === 200) return;
        } catch {
          // Not listening yet.
        }
      }
      if (this.control.child.exitCode !== null || this.control.child.signalCode !== null)
        throw new Error(`the control plane ended:\n${this.control.output()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Where the control plane listens. */
  controlFile(): ControlFile {
    return JSON.parse(readFileSync(join(this.home, "control.json"), "utf8")) as ControlFile;
  }

  /** Starts `ripstop ARGS` on this mesh's home. */
  ripstop(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    return this.program(process.execPath, [executable, ...args], { RIPSTOP_HOME: this.home, NO_COLOR: "1", ...env });
  }

  /** Starts any program, to be ended with the mesh; without the options of the test's own Node, as users start it. */
  program(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const running = start(command, args, { env: { ...process.env, NODE_OPTIONS: "", ...env } });
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  /** Runs `ripstop ARGS` to its end. */
  async command(
    args: readonly string[],
    input = "",
  ): Promise<{ readonly code: number | null; readonly output: string }> {
    const running = this.ripstop(args);
    running.child.stdin?.end(input);
    const code = await running.ended;
    return { code, output: running.output() };
  }

  /** One request to the API on the Unix socket. */
  api(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { socketPath: this.controlFile().apiSocket, method, path, headers: { "content-type": "application/json" } },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (text += chunk));
          response.on("error", reject);
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
        },
      );
      outgoing.on("error", reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Asks `look` again and again until it gives a value; rejects with `what` after 30 s. */
  async until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
    for (let attempt = 0; attempt < 600; attempt++) {
      const value = await look();
      if (value !== undefined) return value;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`not within 30 s: ${what}`);
  }

  /** Ends everything and removes the home. */
  async stop(): Promise<void> {
    const others = [...this.#running].filter((running) => running !== this.control);
    for (const { child } of others) child.kill("SIGTERM");
    await Promise.all(others.map((running) => endWithin(running, 5000)));
    this.control?.child.kill("SIGTERM");
    if (this.control) await endWithin(this.control, 5000);
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Lets a long run that is interrupted end its mesh first: call once, from a program's main file. */
export function stopOnSignal(mesh: Mesh): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void mesh.stop().then(() => process.exit(130)));
}

async function endWithin(running: Running, ms: number): Promise<void> {
  const force = setTimeout(() => running.child.kill("SIGKILL"), ms);
  await running.ended;
  clearTimeout(force);
}

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

/** Longest wait for anything that has to come: a slow machine may need a multiple of what a fast one does. */
const PATIENCE_MS = 120_000;
const POLL_MS = 50;
/** Longer than any drain of a test: a supervisor that is killed leaves its proxy and its application behind. */
const END_MS = 30_000;

/** All processes that were started and have not ended. */
const living = new Set<ChildProcess>();
// A test file that is cut off, or ends without its hooks, leaves nothing behind: supervisors end what they started.
process.once("exit", () => {
  for (const child of living) child.kill("SIGTERM");
});

/** A process with everything it printed. */
export interface Running {
  readonly child: ChildProcess;
  /** Output and errors so far. */
  output(): string;
  /** Resolves with the exit code (128 + signal number is not applied: null for a signal). */
  readonly ended: Promise<number | null>;
  /** Resolves once the output matches; rejects with the output when the process ends first, or after two minutes. */
  printed(pattern: RegExp, patienceMs?: number): Promise<RegExpExecArray>;
}

/** Starts a program and keeps its output. */
export function start(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Running {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  living.add(child);
  // Whoever writes to a process that has just ended learns of it by its end.
  child.stdin.on("error", () => undefined);
  let text = "";
  // Not at its exit: what it printed last may come after that.
  let isClosed = false;
  const waiting = new Set<() => void>();
  const keep = (chunk: string): void => {
    text += chunk;
    for (const wake of waiting) wake();
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  const ended = once(child, "close").then(([code]: unknown[]) => {
    living.delete(child);
    isClosed = true;
    for (const wake of waiting) wake();
    return typeof code === "number" ? code : null;
  });
  return {
    child,
    output: () => text,
    ended,
    printed: (pattern, patienceMs = PATIENCE_MS) =>
      new Promise((resolve, reject) => {
        const name = `${command} ${args.join(" ")}`;
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`not within ${patienceMs / 1000} s: ${name} prints ${pattern}; it printed\n${text}`));
        }, patienceMs);
        const look = (): void => {
          const match = pattern.exec(text);
          if (match) resolve(match);
          else if (isClosed) reject(new Error(`${name} ended before it printed ${pattern}:\n${text}`));
          else return;
          clearTimeout(timer);
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
        {
          socketPath: this.controlFile().apiSocket,
          method,
          path,
          headers: { "content-type": "application/json" },
          // On a machine that stands still a kept connection is closed by the other side before it is used again.
          agent: false,
        },
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

  /** Asks `look` again and again until it gives a value; rejects with `what` after two minutes. */
  async until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
    const end = performance.now() + PATIENCE_MS;
    do {
      const value = await look();
      if (value !== undefined) return value;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    } while (performance.now() < end);
    throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`);
  }

  /** Ends everything and removes the home. */
  async stop(): Promise<void> {
    const others = [...this.#running].filter((running) => running !== this.control);
    for (const { child } of others) child.kill("SIGTERM");
    await Promise.all(others.map(endInTime));
    this.control?.child.kill("SIGTERM");
    if (this.control) await endInTime(this.control);
    // Whoever was killed by a test may have left somebody who still writes for a moment.
    rmSync(this.home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

/** Lets a long run that is interrupted end its mesh first: call once, from a program's main file. */
export function stopOnSignal(mesh: Mesh): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void mesh.stop().then(() => process.exit(130)));
}

async function endInTime({ child, ended }: Running): Promise<void> {
  const force = setTimeout(() => child.kill("SIGKILL"), END_MS);
  await ended;
  clearTimeout(force);
}

// All simulated proxies, in a few processes.

import { fork, type ChildProcess } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpuSeconds } from "../process-usage.ts";
import { pause } from "../processes.ts";
import type { MeshShape } from "./mesh-shape.ts";
import type { Delivery } from "./programs/machine-time.ts";
import type { Command, ProxiesState, ProxyFiles } from "./programs/simulated-proxies.ts";

const program = join(dirname(fileURLToPath(import.meta.url)), "programs/simulated-proxies.js");
const POLL_MS = 50;

/** The proxies of a shape. */
export class ProxyFleet {
  readonly #shape: MeshShape;
  readonly #children: readonly ChildProcess[];

  constructor(shape: MeshShape, processes: number = 2) {
    this.#shape = shape;
    this.#children = Array.from({ length: Math.min(processes, shape.proxies) }, () =>
      // Room for young objects, so that collecting them is not what is measured.
      fork(program, { serialization: "advanced", execArgv: [...process.execArgv, "--max-semi-space-size=64"] }),
    );
  }

  /** Connects all; the milliseconds until each has an answer for everything that it asked for. */
  async connect(files: ProxyFiles, limitMs: number): Promise<number> {
    const startMs = performance.now();
    const share = Math.ceil(this.#shape.proxies / this.#children.length);
    await Promise.all(
      this.#children.map((child, at) => {
        const first = at * share;
        const count = Math.min(share, this.#shape.proxies - first);
        return ask(child, { type: "connect", files, shape: this.#shape, first, count });
      }),
    );
    await this.until(({ complete }) => complete === this.#shape.proxies, limitMs);
    return performance.now() - startMs;
  }

  /** CPU seconds that simulating them has used so far: what is not the control plane's of a busy machine. */
  cpu(): number {
    const { user, system } = cpuSeconds(this.#children.map(({ pid = 0 }) => pid));
    return user + system;
  }

  /** All together. */
  async state(): Promise<ProxiesState> {
    const states = await Promise.all(this.#children.map((child) => ask<ProxiesState>(child, { type: "state" })));
    const sum = (field: keyof ProxiesState): number => states.reduce((total, state) => total + state[field], 0);
    return {
      connected: sum("connected"),
      complete: sum("complete"),
      wentBack: sum("wentBack"),
      residentBytes: sum("residentBytes"),
      hotSequence: Math.min(...states.map(({ hotSequence }) => hotSequence)),
    };
  }

  /** Waits until the state is as wanted. Throws after `limitMs`. */
  async until(wanted: (state: ProxiesState) => boolean, limitMs: number): Promise<void> {
    const startMs = performance.now();
    for (;;) {
      const state = await this.state();
      if (wanted(state)) return;
      if (performance.now() - startMs > limitMs)
        throw new Error(`not reached in ${limitMs} ms: ${JSON.stringify(state)}`);
      await pause(POLL_MS);
    }
  }

  /** Deliveries since the last call. */
  async collect(): Promise<readonly Delivery[]> {
    const parts = await Promise.all(this.#children.map((child) => ask<Delivery[]>(child, { type: "collect" })));
    return parts.flat();
  }

  /** Ends the processes. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null) return;
        const gone = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGTERM");
        await gone;
      }),
    );
  }
}

/** One command at a time for each child: the answers come in order. */
function ask<Answer>(child: ChildProcess, command: Command): Promise<Answer> {
  return new Promise((resolve, reject) => {
    child.once("message", (message: { readonly answer: Answer }) => {
      child.off("exit", onExit);
      resolve(message.answer);
    });
    const onExit = (code: number | null): void => reject(new Error(`the simulated proxies ended with ${code}`));
    child.once("exit", onExit);
    child.send(command);
  });
}

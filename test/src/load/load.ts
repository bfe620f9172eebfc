// Drives the load program: a member of the mesh that asks at a steady rate.

import { join } from "node:path";
import { root, type Mesh, type Running } from "../mesh.ts";
import type { LoadReport } from "./load-program.ts";

export type { LoadReport } from "./load-program.ts";

/** A load program at work. */
export class Load {
  readonly #running: Running;
  readonly #waiting: ((report: LoadReport) => void)[] = [];
  #rest = "";

  private constructor(running: Running) {
    this.#running = running;
    running.child.stdout?.on("data", (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString()).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("load {")) this.#waiting.shift()?.(JSON.parse(line.slice("load ".length)) as LoadReport);
      }
    });
  }

  /** Starts it as service "load" at `rate` requests a second, 0 for a start in silence. */
  static async start(mesh: Mesh, url: string, rate: number, mode: "get" | "mixed"): Promise<Load> {
    const program = join(root, "test/dist/load/load-program.js");
    const running = mesh.ripstop([
      ...["run", "--service", "load", "--", process.execPath, program],
      ...[url, String(rate), mode],
    ]);
    const load = new Load(running);
    await running.printed(/load ready/);
    return load;
  }

  /** From now on so many requests a second. */
  rate(perSecond: number): void {
    this.#running.child.stdin?.write(`rate ${perSecond}\n`);
  }

  /** What happened since the last report. */
  report(): Promise<LoadReport> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#running.child.stdin?.write("report\n");
    });
  }
}

/** Failed requests of a report. */
export function failures({ failed }: LoadReport): number {
  return Object.values(failed).reduce((sum, count) => sum + count, 0);
}

// Drives the load program: a member of the mesh that asks at a steady rate.

import { join } from "node:path";
import { root, type Mesh, type Running } from "../mesh.ts";
import type { LoadReport } from "./load-program.ts";

export type { LoadReport } from "./load-program.ts";

/** A load program at work. */
export class Load {
  readonly #running: Running;
  readonly #waiting: { readonly resolve: (report: LoadReport) => void; readonly reject: (cause: Error) => void }[] = [];
  #rest = "";

  private constructor(running: Running) {
    this.#running = running;
    running.child.stdout?.on("data", (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString()).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("load {"))
          this.#waiting.shift()?.resolve(JSON.parse(line.slice("load ".length)) as LoadReport);
      }
    });
    void running.ended.then(() => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`the load ended:\n${running.output()}`));
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

  /** What happened since the last report. All requests from then on name `phase`, if given, in the header "x-phase". */
  report(phase?: string): Promise<LoadReport> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#running.child.stdin?.write(phase === undefined ? "report\n" : `report ${phase}\n`);
    });
  }
}

/** Failed requests of a report. */
export function failures({ failed }: LoadReport): number {
  return Object.values(failed).reduce((sum, count) => sum + count, 0);
}

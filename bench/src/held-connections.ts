// A program that holds idle connections open as long as we want.

import { spawn } from "node:child_process";
import { ownProgram } from "./processes.ts";
import type { MeshTarget } from "./programs/mesh-client.ts";

/** Idle connections, held by a process of their own. */
export interface HeldConnections {
  readonly open: number;
  /** Closes them. Rejects when the proxy had closed some before. */
  release(): Promise<void>;
}

/** Which connections. */
export interface HoldOptions {
  readonly port: number;
  readonly count: number;
  /** Opened at a time. */
  readonly lanes: number;
  /** Mutual TLS; plain HTTP/1.1 without it. */
  readonly target?: MeshTarget;
}

/** Opens them all, each with one request answered. Rejects when one fails. */
export async function holdConnections(options: HoldOptions): Promise<HeldConnections> {
  const { command, args } = ownProgram("idle-connections", options);
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let output = "";
  const open = await new Promise<number>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-2000);
      const ready = /^ready ([0-9]+)$/m.exec(output);
      if (ready) resolve(Number(ready[1]));
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    void gone.then(() => reject(new Error(`connections could not be held open: ${output}`)));
  });
  return {
    open,
    release: async () => {
      child.stdin.end();
      await gone;
      if (!/^closed 0$/m.test(output)) throw new Error(`connections did not stay open: ${output}`);
    },
  };
}

// Talks to the client program that runs inside of the mesh.

import { fileURLToPath } from "node:url";

import type { Mesh, Running } from "../mesh.ts";
import type { Seen } from "./answer.ts";
import type { Ask } from "./case.ts";
import type { ClientRequest } from "./client-program.ts";

const program = fileURLToPath(new URL("./client-program.js", import.meta.url));
const GIVE_UP_MS = 15_000;

/** A client of one namespace. */
export class ConformanceClient {
  readonly #running: Running;
  readonly #waiting = new Map<number, (seen: Seen) => void>();
  #nextId = 1;
  #rest = "";

  private constructor(running: Running) {
    this.#running = running;
    running.child.stdout?.on("data", (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString()).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!line.startsWith("{")) continue;
        const answer = JSON.parse(line) as Seen & { readonly id: number };
        this.#waiting.get(answer.id)?.(answer);
      }
    });
  }

  /** Starts it and waits until it runs. */
  static async start(mesh: Mesh, namespace: string): Promise<ConformanceClient> {
    const running = mesh.ripstop([
      ...["run", "--namespace", namespace, "--service", "client", "--"],
      ...[process.execPath, program],
    ]);
    const client = new ConformanceClient(running);
    await running.printed(/client ready/);
    return client;
  }

  /** One request. `host` is where it goes. */
  ask({ scheme, tunnel = false, path = "/", method = "GET", headers = {}, body }: Ask, host: string): Promise<Seen> {
    const id = this.#nextId++;
    const line: ClientRequest = {
      ...{ id, host, path, method, headers, tunnel, grpc: scheme === "grpc", tcp: scheme === "tcp" },
      ...(body === undefined ? {} : { body }),
    };
    return new Promise((resolve) => {
      const timer = setTimeout(() => end({ status: 0, headers: {}, body: "no answer in time" }), GIVE_UP_MS);
      const end = (seen: Seen): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(seen);
      };
      this.#waiting.set(id, end);
      this.#running.child.stdin?.write(`${JSON.stringify(line)}\n`);
    });
  }
}

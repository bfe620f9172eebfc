// Speaks to the `httpClient` program: requests that an application inside the mesh makes.

import type { Mesh, Running } from "./mesh.ts";
import { httpClient } from "./programs.ts";

/** An answer as the application got it; status 0 is a failed connection. */
export interface Answer {
  readonly id: number;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An application in the mesh that sends requests on demand. */
export class MeshClient {
  readonly running: Running;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #isOver = false;
  #nextId = 1;
  #rest = "";

  private constructor(running: Running) {
    this.running = running;
    running.child.stdout?.on("data", (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString()).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!line.startsWith("{")) continue;
        const answer = JSON.parse(line) as Answer;
        this.#waiting.get(answer.id)?.(answer);
        this.#waiting.delete(answer.id);
      }
    });
    void running.ended.then(() => {
      this.#isOver = true;
      for (const [id, resolve] of this.#waiting) resolve(noAnswer(id));
      this.#waiting.clear();
    });
  }

  /** Starts the client as `service` and waits until it runs. */
  static async start(mesh: Mesh, service: string, options: readonly string[] = []): Promise<MeshClient> {
    const running = mesh.ripstop([
      "run",
      "--service",
      service,
      ...options,
      "--",
      process.execPath,
      "--eval",
      httpClient,
    ]);
    const client = new MeshClient(running);
    await running.printed(/client ready/);
    return client;
  }

  /** One request; resolves with whatever came back. */
  send(
    url: string,
    options: {
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    } = {},
  ): Promise<Answer> {
    const id = this.#nextId++;
    if (this.#isOver) return Promise.resolve(noAnswer(id));
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.running.child.stdin?.write(`${JSON.stringify({ id, url, ...options })}\n`);
    });
  }
}

function noAnswer(id: number): Answer {
  return { id, status: 0, headers: {}, body: "the client ended" };
}

// A tenant of a mesh that uses the API over TLS, as a pipeline would.

import { Agent, request } from "node:https";

import type { Mesh } from "../mesh.ts";

/** An answer. */
export interface RemoteAnswer {
  readonly status: number;
  readonly body: string;
}

/** Somebody with a token. */
export class Tenant {
  readonly #agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  readonly #port: number;
  readonly #token: string;

  constructor(port: number, token: string) {
    this.#port = port;
    this.#token = token;
  }

  /** An editor of one namespace. */
  static async editor(mesh: Mesh, port: number, namespace: string): Promise<Tenant> {
    const made = await mesh.command([
      "access",
      "token",
      "create",
      namespace,
      "--role",
      "editor",
      "--namespace",
      namespace,
      "-o",
      "json",
    ]);
    if (made.code !== 0) throw new Error(made.output);
    return new Tenant(port, (JSON.parse(made.output) as { readonly token: string }).token);
  }

  /** Sends a request; an answer that comes before the body has been read counts. */
  send(method: string, path: string, body?: string): Promise<RemoteAnswer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: "127.0.0.1",
          port: this.#port,
          method,
          path,
          agent: this.#agent,
          headers: { authorization: `Bearer ${this.#token}` },
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
      outgoing.end(body);
    });
  }

  apply(text: string): Promise<RemoteAnswer> {
    return this.send("POST", "/v1/apply", JSON.stringify({ documents: [{ file: "hostile.yaml", text }] }));
  }

  close(): void {
    this.#agent.destroy();
  }
}

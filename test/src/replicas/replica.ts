// One control plane of several, as a real process with a home of its own, on the loopback or in a network namespace.

import { existsSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";

import { executable, Mesh } from "../mesh.ts";
import type { TestHost } from "./network.ts";

/** What a replica is started with. */
export interface ReplicaOptions {
  readonly etcd: string;
  readonly keyFile: string;
  readonly host?: TestHost;
}

/** An answer of the API. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
  /** The Ripstop-Consistency header. */
  readonly consistency: string;
}

/** What GET /v1/info says, as far as it matters here. */
export interface ReplicaInfo {
  readonly proxies: number;
  readonly cutOffMs: number;
  readonly replicas: readonly { readonly id: string; readonly leader: boolean; readonly self: boolean }[];
}

const PORTS = { stream: 7444, join: 7443 };

/** The process and its API. */
export class Replica {
  readonly name: string;
  /** Its home; programs that run on it are ended with it. */
  readonly mesh: Mesh = new Mesh();
  readonly #options: ReplicaOptions;

  constructor(name: string, options: ReplicaOptions) {
    this.name = name;
    this.#options = options;
  }

  /** Starts it, again on the same home, and waits until its API answers. */
  async start(): Promise<void> {
    const { etcd, keyFile, host } = this.#options;
    const args = [executable, "control", "--etcd", etcd, "--authority-key-file", keyFile];
    const env = { RIPSTOP_HOME: this.mesh.home, NO_COLOR: "1" };
    this.mesh.control =
      host === undefined
        ? this.mesh.program(process.execPath, args, env)
        : this.mesh.program(
            "ip",
            [
              ...["netns", "exec", host.namespace, process.execPath, ...args],
              ...["--stream-address", `${host.address}:${PORTS.stream}`],
              ...["--join-address", `${host.address}:${PORTS.join}`],
            ],
            env,
          );
    const { control } = this.mesh;
    for (;;) {
      // oxlint-disable no-await-in-loop -- asked again until it answers
      const isUp = existsSync(join(this.mesh.home, "control.sock")) && (await this.isUp());
      if (isUp) return;
      if (control.child.exitCode !== null || control.child.signalCode !== null)
        throw new Error(`${this.name} ended:\n${control.output()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      // oxlint-enable no-await-in-loop
    }
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.mesh.control?.child.kill("SIGKILL");
    await this.mesh.control?.ended;
  }

  /** Pulls its cable out, or puts it in again. */
  setUp(isUp: boolean): void {
    this.#options.host?.setUp(isUp);
  }

  async info(): Promise<ReplicaInfo | undefined> {
    const answer = await this.api("GET", "/v1/info");
    return answer?.status === 200 ? (JSON.parse(answer.body) as ReplicaInfo) : undefined;
  }

  async isUp(): Promise<boolean> {
    return (await this.api("GET", "/healthz"))?.status === 200;
  }

  /** One request on its socket; undefined when no answer came. */
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer | undefined> {
    return new Promise((resolve) => {
      const headers = { "content-type": "application/json" };
      const socketPath = join(this.mesh.home, "control.sock");
      const outgoing = request({ socketPath, method, path, headers, agent: false, timeout: 30_000 }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("error", () => resolve(undefined));
        response.on("close", () => resolve(undefined));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body: text,
            consistency: String(response.headers["ripstop-consistency"] ?? ""),
          }),
        );
      });
      outgoing.on("timeout", () => outgoing.destroy());
      outgoing.on("error", () => resolve(undefined));
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

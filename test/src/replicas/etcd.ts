// A real etcd for the mesh under test, on data of its own.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@ripstop/testkit";

/** One member. */
export class Etcd {
  readonly endpoint: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "ripstop-etcd-"));
  readonly #peer: string;
  #child: ChildProcess | undefined;

  private constructor(host: string, ports: readonly [client: number, peer: number]) {
    this.endpoint = `http://${host}:${ports[0]}`;
    this.#peer = `http://127.0.0.1:${ports[1]}`;
  }

  static async start(host: string): Promise<Etcd> {
    const etcd = new Etcd(host, [await freePort(host), await freePort("127.0.0.1")]);
    await etcd.start();
    return etcd;
  }

  /** Starts it (again, on the same data), and waits until it serves. */
  async start(): Promise<void> {
    const child = spawn(
      "etcd",
      [
        ...["--data-dir", this.#directory, "--name", "one", "--logger", "zap"],
        ...["--listen-client-urls", this.endpoint, "--advertise-client-urls", this.endpoint],
        ...["--listen-peer-urls", this.#peer, "--initial-advertise-peer-urls", this.#peer],
        ...["--initial-cluster", `one=${this.#peer}`],
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#child = child;
    let output = "";
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`etcd ended:\n${output}`)));
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (/serving client|ready to serve client/.test(output)) resolve();
      });
    });
    child.removeAllListeners("exit");
    child.stderr.removeAllListeners("data").resume();
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

// A real etcd for the mesh under test, on data of its own.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@ripstop/testkit";

import { start, type Running } from "../mesh.ts";

/** One member. */
export class Etcd {
  readonly endpoint: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "ripstop-etcd-"));
  readonly #peer: string;
  #running: Running | undefined;

  private constructor(host: string, ports: readonly [client: number, peer: number]) {
    this.endpoint = `http://${host}:${ports[0]}`;
    this.#peer = `http://127.0.0.1:${ports[1]}`;
  }

  static async start(host: string): Promise<Etcd> {
    for (;;) {
      // oxlint-disable no-await-in-loop -- again with other ports, when somebody took one before etcd did
      const etcd = new Etcd(host, [await freePort(host), await freePort("127.0.0.1")]);
      try {
        await etcd.start();
        return etcd;
      } catch (error) {
        await etcd.close();
        if (!String(error).includes("address already in use")) throw error;
      }
      // oxlint-enable no-await-in-loop
    }
  }

  /** Starts it (again, on the same data), and waits until it serves. */
  async start(): Promise<void> {
    const etcd = start("etcd", [
      ...["--data-dir", this.#directory, "--name", "one", "--logger", "zap"],
      ...["--listen-client-urls", this.endpoint, "--advertise-client-urls", this.endpoint],
      ...["--listen-peer-urls", this.#peer, "--initial-advertise-peer-urls", this.#peer],
      ...["--initial-cluster", `one=${this.#peer}`],
    ]);
    this.#running = etcd;
    await etcd.printed(/serving client|ready to serve client/);
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    this.#running?.child.kill("SIGKILL");
    await this.#running?.ended;
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

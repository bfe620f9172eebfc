// A real etcd for tests, on a folder and free ports of its own.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort } from "@ripstop/testkit";

/** The reason to skip tests that need etcd, or false. */
export function needsEtcd(): string | false {
  const found = spawnSync("sh", ["-c", "command -v etcd"]).status === 0;
  return found ? false : "needs etcd: apt-get install etcd-server";
}

/** One member. */
export class EtcdProcess {
  readonly #directory = mkdtempSync(join(tmpdir(), "ripstop-etcd-"));
  readonly #ports: readonly [client: number, peer: number];
  #child: ChildProcess | undefined;

  private constructor(ports: readonly [client: number, peer: number]) {
    this.#ports = ports;
  }

  /** Starts one; should another program have taken a port meanwhile, on other ports. */
  static async start(): Promise<EtcdProcess> {
    for (;;) {
      // oxlint-disable no-await-in-loop -- until its ports are its own
      const etcd = new EtcdProcess([await freePort(), await freePort()]);
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

  get endpoint(): string {
    return `http://127.0.0.1:${this.#ports[0]}`;
  }

  /** Starts it (again, on the same data), and waits until it serves. */
  async start(): Promise<void> {
    const [client, peer] = this.#ports.map((port) => `http://127.0.0.1:${port}`);
    const child = spawn(
      "etcd",
      [
        ...["--data-dir", this.#directory, "--name", "one"],
        ...["--listen-client-urls", `${client}`, "--advertise-client-urls", `${client}`],
        ...["--listen-peer-urls", `${peer}`, "--initial-advertise-peer-urls", `${peer}`],
        ...["--initial-cluster", `one=${peer}`, "--logger", "zap"],
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

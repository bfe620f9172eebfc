// The control plane under measurement: the product's own program in a process of its own, and a client of its API.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChildProcess } from "node:child_process";
import type { ControlFile } from "@ripstop/control-engine";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import type { RegisterResponse } from "@ripstop/model";
import { pause, startChild, stopChild } from "../processes.ts";
import { cpuSeconds } from "../process-usage.ts";
import { PROXY_NAMESPACE } from "./mesh-shape.ts";
import type { ProxyFiles } from "./programs/simulated-proxies.ts";

const executable = join(dirname(fileURLToPath(import.meta.url)), "../../../apps/ripstop/dist/bundle/ripstop.js");
const POLL_MS = 20;
const START_LIMIT_MS = 120_000;

/** A running control plane. */
export class ControlPlane {
  readonly home: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #child: ChildProcess | undefined;
  #output: () => string = () => "";
  #file: ControlFile | undefined;

  readonly #flags: readonly string[];

  /** `flags` are for Node: a profile, say. */
  constructor(home: string, flags: readonly string[] = []) {
    this.home = home;
    this.#flags = flags;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts it; the milliseconds until its API answers. */
  async start(): Promise<number> {
    const startMs = performance.now();
    const { child, output } = startChild({
      command: process.execPath,
      args: [...this.#flags, executable, "control", "--home", this.home],
    });
    this.#child = child;
    this.#output = output;
    const path = join(this.home, "control.json");
    for (;;) {
      if (child.exitCode !== null) throw new Error(`the control plane ended with ${child.exitCode}: ${output()}`);
      if (performance.now() - startMs > START_LIMIT_MS) throw new Error(`the control plane did not start: ${output()}`);
      const file = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as ControlFile) : undefined;
      if (file?.pid === child.pid) {
        this.#file = file;
        await this.text("GET", "/healthz");
        return performance.now() - startMs;
      }
      await pause(POLL_MS);
    }
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    if (this.#child !== undefined) await stopChild(this.#child);
  }

  /** Sends a request; the answer's JSON. Throws on any other status than 200. */
  async call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    return JSON.parse(await this.text(method, path, body)) as Answer;
  }

  /** Sends a request; the answer's text. */
  text(method: string, path: string, body?: unknown): Promise<string> {
    return new Promise((resolve, reject) => {
      const socketPath = this.#file?.apiSocket ?? "";
      const outgoing = request({ socketPath, method, path, agent: this.#agent }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("error", reject);
        response.on("end", () => {
          if (response.statusCode === 200) resolve(text);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 500)}`));
        });
      });
      outgoing.on("error", (error) => {
        // An idle connection that the server closes in the same moment: the request has not been looked at.
        if (outgoing.reusedSocket && "code" in error && error.code === "ECONNRESET")
          resolve(this.text(method, path, body));
        else reject(new Error(`${String(error)}; ${this.#output()}`));
      });
      if (body !== undefined) outgoing.write(JSON.stringify(body));
      outgoing.end();
    });
  }

  /** The sum of a metric over its labels. */
  async metric(name: string): Promise<number> {
    const text = await this.text("GET", "/metrics");
    let sum = 0;
    for (const line of text.split("\n")) {
      if (line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        sum += Number(line.slice(line.lastIndexOf(" ") + 1));
    }
    return sum;
  }

  /** Resident bytes: now, and the most so far. */
  memory(): { readonly resident: number; readonly peak: number } {
    const text = readFileSync(`/proc/${this.pid}/status`, "utf8");
    const bytes = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+([0-9]+) kB`, "m").exec(text)?.[1]) * 1024;
    return { resident: bytes("VmRSS"), peak: bytes("VmHWM") };
  }

  /** CPU seconds used so far. */
  cpu(): number {
    const { user, system } = cpuSeconds([this.pid]);
    return user + system;
  }

  /** The identity that all simulated proxies share, in files. */
  async proxyIdentity(): Promise<ProxyFiles> {
    const { keyPem, csrPem } = await createKeyAndCsr(`spiffe://mesh.local/ns/${PROXY_NAMESPACE}/sa/${PROXY_NAMESPACE}`);
    const registered = await this.call<RegisterResponse>("POST", "/v1/workloads", {
      service: PROXY_NAMESPACE,
      namespace: PROXY_NAMESPACE,
      instance: "holder",
      labels: {},
      ports: [],
      csrPem,
      pid: 0,
    });
    const files = {
      svid: join(this.home, "sim.svid.pem"),
      key: join(this.home, "sim.key.pem"),
      bundle: join(this.home, "sim.bundle.pem"),
    };
    writeFileSync(files.svid, registered.svidChainPem);
    writeFileSync(files.key, keyPem, { mode: 0o600 });
    writeFileSync(files.bundle, registered.bundlePem);
    const [address = ""] = registered.controlAddresses;
    return { ...files, address, controlIdentity: registered.controlIdentity };
  }
}

// The mesh under check, seen from outside: its processes, its command line, its API socket, and clients inside it.
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const shopDirectory = fileURLToPath(new URL("../", import.meta.url));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Fails a claim. */
export function fail(message) {
  throw new Error(message);
}

/** Fails a claim unless `condition` holds. */
export function ensure(condition, message) {
  if (!condition) fail(message);
}

/** Asks again until the answer is not undefined or false; fails with `message` after `seconds`. */
export async function until(message, seconds, question) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await question();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) fail(`${typeof message === "function" ? message() : message} (waited ${seconds} s)`);
    await sleep(50);
  }
}

/** A GET on a Unix socket: { status, body }. */
export function getOnSocket(socketPath, path, timeoutMs = 30_000) {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath, path, agent: false, timeout: timeoutMs, headers: { host: "localhost" } },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk) => (body += chunk));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode, body }));
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer on ${socketPath}`)));
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/** A started `ripstop run` with the prober in it. */
class Prober {
  #child;
  #waiting = new Map();
  #id = 0;
  #log = "";
  #ended = false;

  constructor(program, args) {
    this.#child = spawn(
      process.execPath,
      [program, ...args, "--", process.execPath, join(shopDirectory, "check/prober.js")],
      { stdio: "pipe" },
    );
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.on("data", (text) => (this.#log += text));
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      if (!line.startsWith("{")) return;
      const { id, value, error } = JSON.parse(line);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(error));
    });
    this.#child.on("exit", () => {
      this.#ended = true;
      for (const { reject } of this.#waiting.values()) reject(new Error(`the prober ended: ${this.#log}`));
    });
    this.ready = this.#wait(0);
  }

  /** The child `ripstop run`. */
  get pid() {
    return this.#child.pid;
  }

  /** One action of prober.js. */
  call(action, message = {}) {
    const id = ++this.#id;
    this.#child.stdin.write(`${JSON.stringify({ id, do: action, ...message })}\n`);
    return this.#wait(id);
  }

  async stop() {
    if (this.#ended) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exit;
  }

  #wait(id) {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }
}

/** One `ripstop up --shop`. */
export class Mesh {
  home = mkdtempSync(join(tmpdir(), "ripstop-check-"));
  output = "";
  #program;
  #child;
  #probers = [];
  #exit;

  constructor(program) {
    this.#program = program;
  }

  get socket() {
    return join(this.home, "control.sock");
  }

  /** Starts it; does not wait. */
  start() {
    this.#child = fork(this.#program, ["up", "--shop", "--home", this.home, "--ephemeral", "--end-with-parent"], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#child.stdout.on("data", (text) => (this.output += text));
    this.#child.stderr.on("data", (text) => (this.output += text));
    this.#exit = once(this.#child, "exit");
  }

  get running() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ctrl-C; how long it took and the exit code. */
  async end() {
    const startMs = performance.now();
    for (const prober of this.#probers) await prober.stop().catch(() => {});
    const askedMs = performance.now();
    this.#child.kill("SIGINT");
    const [code] = await this.#exit;
    return { code, ms: performance.now() - askedMs, probersMs: askedMs - startMs };
  }

  /** Leaves nothing behind when a claim failed badly. */
  async abandon() {
    for (const prober of this.#probers) await prober.stop().catch(() => {});
    if (this.#child && this.running) {
      this.#child.kill("SIGTERM");
      await Promise.race([this.#exit, sleep(20_000)]);
      if (this.running) this.#child.kill("SIGKILL");
    }
    rmSync(this.home, { recursive: true, force: true });
  }

  /** A program inside the mesh under the identity of `service`. */
  async prober(service) {
    const upstreams = ["reviews", "orders", "stock", "chat"].flatMap((name) => ["--upstream", name]);
    const prober = new Prober(this.#program, [
      "run",
      "--home",
      this.home,
      "--service",
      service,
      "--namespace",
      "shop",
      ...upstreams,
    ]);
    this.#probers.push(prober);
    await prober.ready;
    return prober;
  }

  /** GET on the API, as JSON. */
  async api(path) {
    const { status, body } = await getOnSocket(this.socket, path);
    ensure(status === 200, `GET ${path} answered ${status}: ${body.slice(0, 300)}`);
    return JSON.parse(body);
  }

  async workloads() {
    return (await this.api("/v1/workloads")).workloads;
  }

  /** The one workload of a service and version. */
  async workload(service, version = "v1") {
    const found = (await this.workloads()).find((one) => one.service === service && one.version === version);
    return found ?? fail(`there is no workload ${service} ${version}`);
  }

  /** Runs the command line: { code, stdout, stderr }. */
  async cli(...args) {
    const child = spawn(process.execPath, [this.#program, ...args], {
      stdio: "pipe",
      env: { ...process.env, RIPSTOP_HOME: this.home },
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => (stdout += text));
    child.stderr.on("data", (text) => (stderr += text));
    const [code] = await once(child, "close");
    return { code, stdout, stderr };
  }

  /** Facts of the running control plane. */
  control() {
    return JSON.parse(readFileSync(join(this.home, "control.json"), "utf8"));
  }

  /** State directory of a workload. */
  stateDirectory(workload) {
    return join(this.home, "run", workload.id.replace("/", "_"));
  }

  log(name) {
    const file = join(this.home, "logs", `${name}.log`);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }
}

/** Process ids whose command line or environment has `text` (zero bytes between the parts); needs /proc. */
export function processesWith(text) {
  return readdirSync("/proc").filter((pid) => {
    if (!/^[0-9]+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return ["cmdline", "environ"].some((file) => readFileSync(`/proc/${pid}/${file}`, "utf8").includes(text));
    } catch {
      return false;
    }
  });
}

/** Value of a metric, summed over its series; undefined when there is none. */
export function metric(text, name, labels = "") {
  let sum;
  for (const line of text.split("\n")) {
    if (!line.startsWith(name) || !/[{ ]/.test(line[name.length] ?? "") || !line.includes(labels)) continue;
    sum = (sum ?? 0) + Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}

export { sleep };

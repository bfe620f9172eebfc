// Three control planes on a real etcd under writers, readers and traffic, while one after the other is taken away.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

import { MeshClient } from "../http-client.ts";
import { echoServer } from "../programs.ts";
import { Etcd } from "./etcd.ts";
import { anomalies } from "./history.ts";
import { needsNetwork, TestNetwork } from "./network.ts";
import { Replica } from "./replica.ts";
import { RegisterClients, Traffic, type Recorded } from "./workload.ts";

/** What to take away. */
export type Fault = "follower" | "leader" | "etcd" | "network";

/** How to run. */
export interface RunOptions {
  readonly faults: readonly Fault[];
  /** Writers and readers on each control plane. */
  readonly clients: number;
  /** How long each fault lasts, in ms. */
  readonly lastsMs: Readonly<Record<Fault, number>>;
  say(line: string): void;
}

/** What came of a fault. */
export interface FaultReport {
  readonly fault: Fault;
  /** Until all proxies were connected to control planes that are there; undefined for etcd, which takes none away. */
  readonly movedMs: number | undefined;
  /** From a change after the fault until traffic showed it. */
  readonly liveMs: number;
  readonly failedRequests: number;
}

/** What came of all. */
export interface RunReport {
  readonly faults: readonly FaultReport[];
  /** Why the network was not cut. */
  readonly skipped: string | false;
  readonly requests: number;
  readonly failures: readonly string[];
  readonly recorded: Recorded;
  /** Of the recorded history. */
  readonly anomalies: readonly string[];
  /** Acknowledged writes that are not in the log of revisions. */
  readonly lost: readonly string[];
}

const PROXIES = 4;

/** Runs it. */
export async function runReplicas(options: RunOptions): Promise<RunReport> {
  const skipped = options.faults.includes("network") ? needsNetwork() : false;
  const run = new ReplicaRun(options, skipped);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

class ReplicaRun {
  readonly #options: RunOptions;
  readonly #skipped: string | false;
  readonly #folder = mkdtempSync(join(tmpdir(), "ripstop-replicas-"));
  readonly #network: TestNetwork | undefined;
  #replicas: readonly Replica[] = [];
  #etcd: Etcd | undefined;
  #round = 0;

  constructor(options: RunOptions, skipped: string | false) {
    this.#options = options;
    this.#skipped = skipped;
    this.#network = options.faults.includes("network") && skipped === false ? new TestNetwork() : undefined;
  }

  async run(): Promise<RunReport> {
    const { say, faults, clients } = this.#options;
    const etcd = await Etcd.start(this.#network?.gateway ?? "127.0.0.1");
    this.#etcd = etcd;
    const keyFile = join(this.#folder, "authority.key");
    writeFileSync(keyFile, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
    this.#replicas = ["one", "two", "three"].map((name) => {
      const host = this.#network?.add();
      return new Replica(name, { etcd: etcd.endpoint, keyFile, ...(host === undefined ? {} : { host }) });
    });
    await Promise.all(this.#replicas.map((replica) => replica.start()));
    const client = await this.#startWorkloads();
    const traffic = new Traffic(client);
    await this.#live(traffic, this.#replicas);
    say(`three control planes on ${etcd.endpoint}, ${PROXIES} proxies, ${clients} writers and readers on each`);
    const registers = new RegisterClients(this.#replicas, clients);
    const reports: FaultReport[] = [];
    for (const fault of faults) {
      if (fault === "network" && this.#network === undefined) continue;
      // oxlint-disable-next-line no-await-in-loop -- one fault after the other
      const report = await this.#endure(fault, traffic);
      reports.push(report);
      const moved = report.movedMs === undefined ? "" : `, proxies elsewhere after ${Math.round(report.movedMs)} ms`;
      say(
        `${fault}: ${report.failedRequests} failed requests${moved}, a change live after ${Math.round(report.liveMs)} ms`,
      );
    }
    await registers.stop();
    for (const replica of this.#replicas) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await this.#until(`${replica.name} reads what is current`, async () => {
        const answer = await replica.api("GET", "/v1/resources/Service/registers/k0?consistency=linearizable");
        return answer?.status === 200;
      });
      // oxlint-disable-next-line no-await-in-loop -- likewise
      await registers.readAll(replica);
    }
    await traffic.stop();
    const lost = (await Promise.all(this.#replicas.map((replica) => missing(replica, registers.recorded)))).flat();
    return {
      faults: reports,
      skipped: this.#skipped,
      requests: traffic.sent,
      failures: traffic.failures,
      recorded: registers.recorded,
      anomalies: anomalies(registers.recorded.operations),
      lost,
    };
  }

  async close(): Promise<void> {
    for (const replica of this.#replicas) replica.setUp(true);
    await Promise.all(this.#replicas.map((replica) => replica.mesh.stop()));
    await this.#etcd?.close();
    this.#network?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Applications on the homes of the first two control planes. */
  async #startWorkloads(): Promise<MeshClient> {
    const [first, second] = this.#replicas;
    if (first === undefined || second === undefined) throw new Error("there are no replicas");
    for (const { mesh } of [first, second, first])
      mesh.ripstop(["run", "--service", "echo", "--port", "auto", "--", process.execPath, "--eval", echoServer]);
    const client = await MeshClient.start(second.mesh, "caller");
    await this.#until("echo answers", async () => (await client.send("http://echo.default/")).status === 200);
    await this.#until("every proxy is connected", async () => (await this.#connected(this.#replicas)) === PROXIES);
    return client;
  }

  async #endure(fault: Fault, traffic: Traffic): Promise<FaultReport> {
    const failedBefore = traffic.failures.length;
    const lastsMs = this.#options.lastsMs[fault];
    let movedMs: number | undefined;
    let rest = this.#replicas;
    if (fault === "etcd") {
      await this.#etcd?.kill();
      await pause(lastsMs);
      await this.#etcd?.start();
    } else {
      const victim = await this.#victim(fault);
      rest = this.#replicas.filter((replica) => replica !== victim);
      const begunMs = performance.now();
      if (fault === "network") victim.setUp(false);
      else await victim.kill();
      await this.#until("the proxies are connected to those that are left", async () => {
        return (await this.#connected(rest)) === PROXIES;
      });
      movedMs = performance.now() - begunMs;
      await pause(lastsMs - movedMs);
      // While it is away the others serve: the change below is theirs.
      if (fault !== "network") await this.#live(traffic, rest);
      if (fault === "network") victim.setUp(true);
      else await victim.start();
    }
    const changedMs = performance.now();
    await this.#live(traffic, rest);
    const liveMs = performance.now() - changedMs;
    await this.#until("all control planes know each other", async () => {
      const infos = await Promise.all(this.#replicas.map((replica) => replica.info()));
      return infos.every((info) => info?.cutOffMs === 0 && info.replicas.length === this.#replicas.length);
    });
    return { fault, movedMs, liveMs, failedRequests: traffic.failures.length - failedBefore };
  }

  /** The leader, or one that does not lead and has proxies. */
  async #victim(fault: Fault): Promise<Replica> {
    const leader = await this.#until("there is a leader", async () => {
      for (const replica of this.#replicas) {
        // oxlint-disable-next-line no-await-in-loop -- three
        const info = await replica.info();
        if (info?.replicas.some(({ self, leader: leads }) => self && leads) === true) return replica;
      }
      return undefined;
    });
    if (fault === "leader") return leader;
    // One that came back is given its share of the proxies.
    return this.#until("a control plane that does not lead has proxies", async () => {
      for (const replica of this.#replicas) {
        // oxlint-disable-next-line no-await-in-loop -- three
        if (replica !== leader && ((await replica.info())?.proxies ?? 0) > 0) return replica;
      }
      return undefined;
    });
  }

  /** Makes a change that traffic shows, on one of the replicas, and waits until it does. */
  async #live(traffic: Traffic, replicas: readonly Replica[]): Promise<void> {
    const round = String(++this.#round);
    const text = JSON.stringify({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "echo", namespace: "default" },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: "echo" }],
        rules: [
          {
            filters: [
              { type: "ResponseHeaderModifier", responseHeaderModifier: { set: [{ name: "x-round", value: round }] } },
            ],
            backendRefs: [{ name: "echo", port: 80 }],
          },
        ],
      },
    });
    const replica = replicas[this.#round % replicas.length];
    await this.#until("a change is acknowledged", async () => {
      const answer = await replica?.api("POST", "/v1/apply", { documents: [{ file: "route", text }], reason: "round" });
      if (answer !== undefined && answer.status >= 400 && answer.status < 500) throw new Error(answer.body);
      return answer?.status === 200;
    });
    await this.#until(`traffic shows round ${round}`, () => Promise.resolve(traffic.round === round));
  }

  async #connected(replicas: readonly Replica[]): Promise<number> {
    const infos = await Promise.all(replicas.map((replica) => replica.info()));
    return infos.reduce((sum, info) => sum + (info?.proxies ?? 0), 0);
  }

  /** Asks again until the answer is neither undefined nor false; a minute is too long. */
  async #until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
    for (let attempt = 0; attempt < 3_000; attempt++) {
      // oxlint-disable no-await-in-loop -- asked again
      const value = await look();
      if (value !== undefined && value !== false) return value;
      await pause(20);
      // oxlint-enable no-await-in-loop
    }
    const logs = this.#replicas.map(({ name, mesh }) => `--- ${name}\n${mesh.control?.output().slice(-3_000) ?? ""}`);
    throw new Error(`in vain: ${what}\n${logs.join("\n")}`);
  }
}

/** Acknowledged writes that a replica's log of revisions does not show as they were made. */
async function missing(replica: Replica, { acknowledged }: Recorded): Promise<readonly string[]> {
  const found = new Map<number, string>();
  let query = "limit=100";
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const answer = await replica.api("GET", `/v1/revisions?${query}`);
    if (answer?.status !== 200) throw new Error(`${replica.name}: ${answer?.body ?? "no answer"}`);
    const page = JSON.parse(answer.body) as { revisions: { number: number; reason: string }[]; next?: number };
    for (const { number, reason } of page.revisions) found.set(number, reason);
    if (page.next === undefined) break;
    query = `limit=100&before=${page.next}`;
  }
  const oldest = Math.min(...found.keys());
  return [...acknowledged]
    .filter(([revision, value]) => revision >= oldest && found.get(revision) !== value)
    .map(
      ([revision, value]) => `${replica.name}: revision ${revision} is ${found.get(revision) ?? "gone"}, not ${value}`,
    );
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

// A ring of services under load: each serves, calls the next one at a steady rate, and holds a TCP connection open.

import { readFile } from "node:fs/promises";

import type { Mesh, Running } from "../mesh.ts";
import { memberProgram, pipeProgram } from "./member-program.ts";

const ESTABLISHED = "01";

/** What the members noticed, all together. */
export interface RingCounts {
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  /** Connections that applications have with their proxies, HTTP and TCP, and that were closed on them. */
  readonly closed: number;
  readonly pings: number;
  readonly causes: readonly string[];
}

interface MemberCounts {
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  readonly clientClosed: number;
  readonly pipeClosed: number;
  readonly pings: number;
  readonly causes: Readonly<Record<string, number>>;
}

/** A row of GET /v1/workloads. */
export interface WorkloadRow {
  readonly id: string;
  readonly service: string;
  readonly ready: boolean;
  readonly proxyPid: number;
  readonly proxyConnected: boolean;
  readonly svidNotAfterMs: number;
  readonly inboundAddress: string;
}

/** The members and the service that their TCP connections lead to. */
export class Ring {
  readonly #mesh: Mesh;
  readonly members: readonly Running[];
  readonly #inbound = new Set<number>();

  private constructor(mesh: Mesh, members: readonly Running[]) {
    this.#mesh = mesh;
    this.members = members;
  }

  /** Starts `services` members that send `rate` requests a second together; ready when every member gets answers. */
  static async start(mesh: Mesh, services: number, rate: number): Promise<Ring> {
    const run = (service: string, options: readonly string[], program: string, args: readonly string[]): Running =>
      mesh.ripstop([
        ...["run", "--service", service, "--port", "auto", "--wait-timeout", "5m", ...options],
        ...["--", process.execPath, "--eval", program, ...args],
      ]);
    run("pipe", ["--protocol", "tcp"], pipeProgram, []);
    const members: Running[] = [];
    const ring = new Ring(mesh, members);
    await ring.#ready("pipe");
    for (let index = 0; index < services; index++) {
      const next = `http://m${(index + 1) % services}/`;
      const options = ["--protocol", "http", "--upstream", "pipe"];
      members.push(run(`m${index}`, options, memberProgram, [next, String(rate / services)]));
      // One after the other: dozens of processes that start at once take each other's free ports and miss heartbeats.
      // oxlint-disable-next-line no-await-in-loop -- see above
      await ring.#ready(`m${index}`);
    }
    for (const { child } of members) child.stdin?.write("start\n");
    await mesh.until("every member of the ring gets answers", async () => ((await ring.settled()) ? true : undefined));
    return ring;
  }

  /** True when half a second passes in which every member gets answers and none fails. */
  async settled(): Promise<boolean> {
    const before = await this.#ask();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = await this.#ask();
    return after.every((counts, index) => {
      const was = before[index];
      return (
        was !== undefined && counts.answered > was.answered && counts.failed === was.failed && counts.pings > was.pings
      );
    });
  }

  /** What all members noticed so far. */
  async counts(): Promise<RingCounts> {
    const all = await this.#ask();
    const sum = (of: (counts: MemberCounts) => number): number => all.reduce((total, one) => total + of(one), 0);
    return {
      sent: sum(({ sent }) => sent),
      answered: sum(({ answered }) => answered),
      failed: sum(({ failed }) => failed),
      closed: sum((one) => one.clientClosed + one.pipeClosed),
      pings: sum(({ pings }) => pings),
      causes: all.flatMap(({ causes }) => Object.keys(causes)),
    };
  }

  /** The workloads as the control plane lists them. */
  async workloads(): Promise<readonly WorkloadRow[]> {
    const answer = await this.#mesh.api("GET", "/v1/workloads");
    return (JSON.parse(answer.body) as { workloads: WorkloadRow[] }).workloads;
  }

  /** Starting a process takes its time on a busy machine. */
  async #ready(service: string): Promise<void> {
    for (let attempt = 0; attempt < 600; attempt++) {
      const rows = await this.workloads();
      if (rows.some((row) => row.service === service && row.ready && row.proxyConnected)) return;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    throw new Error(`${service} did not start`);
  }

  /** The mutual TLS connections between the proxies, as pairs of ports. Linux tells; elsewhere there are none. */
  async meshConnections(): Promise<ReadonlySet<string>> {
    // While the control plane is away the ports are those that it told before: proxies keep theirs.
    const rows = await this.workloads().catch(() => []);
    for (const { inboundAddress } of rows) this.#inbound.add(Number(inboundAddress.split(":")[1]));
    const text = await readFile("/proc/net/tcp", "utf8").catch(() => "");
    const found = new Set<string>();
    for (const line of text.split("\n")) {
      const [, local = "", remote = "", state] = line.trim().split(/\s+/);
      const port = Number.parseInt(local.split(":")[1] ?? "", 16);
      if (state === ESTABLISHED && this.#inbound.has(port)) found.add(`${port} ${remote}`);
    }
    return found;
  }

  #ask(): Promise<readonly MemberCounts[]> {
    return Promise.all(
      this.members.map(async (member) => {
        const before = member.output().length;
        member.child.stdin?.write("\n");
        const text = await this.#mesh.until("a member tells its counts", () => {
          if (member.child.exitCode !== null) throw new Error(member.output());
          return /counts (\{.*\})\n/.exec(member.output().slice(before))?.[1];
        });
        return JSON.parse(text) as MemberCounts;
      }),
    );
  }
}

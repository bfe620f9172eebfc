// A ring of services under load: each serves, calls the next one at a steady rate, and holds a TCP connection open.

import type { Mesh, Running } from "../mesh.ts";
import { memberProgram, pipeProgram } from "./member-program.ts";

/** What the members noticed, all together. */
export interface RingCounts {
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  /** Connections between applications and their proxies that were closed, on either side. */
  readonly closed: number;
  readonly pings: number;
  readonly causes: readonly string[];
}

interface MemberCounts {
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  readonly clientClosed: number;
  readonly serverClosed: number;
  readonly pipeClosed: number;
  readonly pings: number;
  readonly causes: Readonly<Record<string, number>>;
}

/** A row of GET /v1/workloads. */
export interface WorkloadRow {
  readonly id: string;
  readonly service: string;
  readonly proxyPid: number;
  readonly proxyConnected: boolean;
  readonly svidNotAfterMs: number;
}

/** The members and the service that their TCP connections lead to. */
export class Ring {
  readonly #mesh: Mesh;
  readonly #members: readonly Running[];

  private constructor(mesh: Mesh, members: readonly Running[]) {
    this.#mesh = mesh;
    this.#members = members;
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
    for (let index = 0; index < services; index++) {
      const next = `http://m${(index + 1) % services}/`;
      const options = ["--protocol", "http", "--upstream", "pipe"];
      members.push(run(`m${index}`, options, memberProgram, [next, String(rate / services)]));
    }
    const ring = new Ring(mesh, members);
    await mesh.until("every member of the ring gets answers", async () => ((await ring.settled()) ? true : undefined));
    return ring;
  }

  /** True when half a second passes in which every member gets answers and none fails. */
  async settled(): Promise<boolean> {
    if ((await this.workloads()).length <= this.#members.length) return false;
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
      closed: sum((one) => one.clientClosed + one.serverClosed + one.pipeClosed),
      pings: sum(({ pings }) => pings),
      causes: all.flatMap(({ causes }) => Object.keys(causes)),
    };
  }

  /** The workloads as the control plane lists them. */
  async workloads(): Promise<readonly WorkloadRow[]> {
    const answer = await this.#mesh.api("GET", "/v1/workloads");
    return (JSON.parse(answer.body) as { workloads: WorkloadRow[] }).workloads;
  }

  #ask(): Promise<readonly MemberCounts[]> {
    return Promise.all(
      this.#members.map(async (member) => {
        if (!member.child.connected && member.child.exitCode !== null) throw new Error(member.output());
        const before = member.output().length;
        member.child.stdin?.write("\n");
        const [, text = "{}"] = await printedAfter(member, before);
        return JSON.parse(text) as MemberCounts;
      }),
    );
  }
}

/** The counts that a member prints after its output had `length` characters; zeros while it has not started. */
async function printedAfter(member: Running, length: number): Promise<readonly string[]> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const match = /counts (\{.*\})\n/.exec(member.output().slice(length));
    if (match) return match;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return ["", '{"sent":0,"answered":0,"failed":0,"clientClosed":0,"serverClosed":0,"pipeClosed":0,"pings":0,"causes":{}}'];
}

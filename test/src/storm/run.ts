// A retry storm, or none: load at 80 % of what a service can do, half of its answers fail for a while, and then none does.
// With a retry budget the service gets at most 1.2 times what is asked and is well again at once; with budgets off, retries
// bury it, and it stays buried when the cause has gone.

import { join } from "node:path";
import { failures, Load, type LoadReport } from "../load/load.ts";
import { root, type Mesh, type Running } from "../mesh.ts";
import type { UpstreamReport } from "./upstream-program.ts";

/** How much of it. */
export interface StormOptions {
  /** Requests that the service works on at a time, and how long. */
  readonly atATime: number;
  readonly workMs: number;
  /** Load as a share of capacity. */
  readonly utilization: number;
  /** Retries in percent of requests; above 100 it is off. */
  readonly budgetPercent: number;
  /** Requests to be asked while all is well, while half fails, and after that. */
  readonly requests: readonly [calm: number, failing: number, after: number];
  readonly onProgress: (line: string) => void;
}

/** One stretch of time. */
export interface Phase {
  readonly name: "calm" | "failing" | "after" | "at the end";
  /** Requests that clients asked. */
  readonly asked: number;
  /** Of these, and of retries of these, how many arrived at the service. */
  readonly arrived: number;
  readonly failed: number;
  readonly p99Ms: number;
  /** How long it took. */
  readonly seconds: number;
  /** Waiting in the service at the end. */
  readonly queued: number;
}

/** What came of it. */
export interface StormReport {
  readonly capacity: number;
  readonly rate: number;
  readonly phases: readonly Phase[];
}

/** Runs it on a mesh whose control plane runs; names its service anew each time. */
export async function runStorm(mesh: Mesh, name: string, options: StormOptions): Promise<StormReport> {
  const { atATime, workMs, utilization, budgetPercent, requests, onProgress } = options;
  const capacity = (atATime * 1000) / workMs;
  const rate = Math.round(capacity * utilization);
  const policy = [
    "apiVersion: ripstop.mesh/v1alpha1",
    "kind: ResiliencePolicy",
    `metadata: { name: ${name} }`,
    "spec:",
    `  targetRefs: [{ kind: Service, name: ${name} }]`,
    "  timeouts: { perTry: 1s, request: 4s }",
    `  retries: { attempts: 3, budget: { percent: ${budgetPercent}, minPerSecond: 3 } }`,
  ].join("\n");
  const applied = await mesh.api("POST", "/v1/apply", { documents: [{ file: "storm.yaml", text: policy }] });
  if (applied.status !== 200) throw new Error(applied.body);
  const upstream = mesh.ripstop([
    ...["run", "--service", name, "--port", "auto", "--", process.execPath],
    ...[join(root, "test/dist/storm/upstream-program.js"), String(atATime), String(workMs)],
  ]);
  await upstream.printed(/upstream ready/);
  const load = await Load.start(mesh, `http://${name}/`, rate / 10, "get");
  await mesh.until(`${name} answers`, async () => {
    const { ok, failed } = await load.report();
    return ok > 0 && Object.keys(failed).length === 0 ? true : undefined;
  });
  // Each request names the phase that it was asked in: a late one, or a retry of it, counts where it belongs.
  const phases: Omit<Phase, "arrived">[] = [];
  const during = async (phase: Phase["name"], wanted: number): Promise<void> => {
    const reports: LoadReport[] = [];
    const asked = (): number => reports.reduce((sum, { sent }) => sum + sent, 0);
    await until(`${wanted} requests were asked`, async () => {
      reports.push(await load.report());
      return asked() >= wanted;
    });
    reports.push(await load.report(String(phases.length + 1)));
    const { queued } = await ask(upstream);
    const failed = reports.reduce((sum, report) => sum + failures(report), 0);
    const seconds = reports.reduce((sum, report) => sum + report.seconds, 0);
    const p99Ms = Math.max(...reports.map((report) => report.p99Ms));
    phases.push({ name: phase, asked: asked(), failed, p99Ms, queued, seconds });
    onProgress(`${name}, ${phase}: ${asked()} asked, ${failed} failed, ${queued} queued`);
  };
  const [calm, failing, after] = requests;
  load.rate(rate);
  await load.report("0");
  await during("calm", calm);
  upstream.child.stdin?.write("fail 50\n");
  await during("failing", failing);
  upstream.child.stdin?.write("fail 0\n");
  await during("after", after / 2);
  await during("at the end", after / 2);
  load.rate(0);
  await mesh.until("every request is answered", async () => ((await load.report()).open === 0 ? true : undefined));
  const { arrived } = await mesh.until(`${name} has nothing left to do`, async () => {
    const report = await ask(upstream);
    return report.busy === 0 && report.queued === 0 ? report : undefined;
  });
  return { capacity, rate, phases: phases.map((phase, at) => ({ ...phase, arrived: arrived[at] ?? 0 })) };
}

/** Requests that arrived for each that was asked, over the whole run. */
export function amplification({ phases }: StormReport): number {
  const asked = phases.reduce((sum, phase) => sum + phase.asked, 0);
  return phases.reduce((sum, phase) => sum + phase.arrived, 0) / asked;
}

/** A phase by its name. */
export function phaseOf({ phases }: StormReport, name: Phase["name"]): Phase {
  const found = phases.find((phase) => phase.name === name);
  if (found === undefined) throw new Error(`no phase ${name}`);
  return found;
}

async function ask(upstream: Running): Promise<UpstreamReport> {
  const before = upstream.output().split("\n").length;
  upstream.child.stdin?.write("report\n");
  const line = await upstream.printed(new RegExp(`^(?:[^\\n]*\\n){${before - 1}}[^\\n]*upstream (\\{.*\\})\\n`));
  return JSON.parse(line[1] ?? "{}") as UpstreamReport;
}

/** Looks twice a second for as long as it takes: the load's own rate bounds it. */
async function until(_what: string, look: () => Promise<boolean>): Promise<void> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    if (await look()) return;
    // oxlint-disable-next-line no-await-in-loop -- pacing
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

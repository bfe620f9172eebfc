// Rolls every instance of a service, one after another, under steady load, while a WebSocket and a gRPC stream to other
// services stay open and unrelated config changes again and again. Nothing may fail.

import { failures, Load, type LoadReport } from "../load/load.ts";
import type { Mesh, Running } from "../mesh.ts";
import { chatServer, holder, shopServer, talkServer } from "./programs.ts";

/** How much of it. */
export interface RollingOptions {
  readonly endpoints: number;
  /** Requests a second. */
  readonly rate: number;
  /** Changes of config that concern none of the services. */
  readonly changes: number;
  readonly onProgress: (line: string) => void;
}

/** What the holder of the two streams saw. */
interface Held {
  readonly webSocket: number;
  readonly grpc: number;
  readonly ended: readonly string[];
}

/** What came of it. */
export interface RollingReport {
  readonly rolled: number;
  readonly changes: number;
  readonly load: LoadReport;
  /** Messages that came back over each stream from the first roll to the last, and how a stream ended. */
  readonly held: Held;
  readonly seconds: number;
}

interface WorkloadRow {
  readonly id: string;
  readonly service: string;
  readonly ready: boolean;
}

const DRAIN = ["--drain", "10s"];

/** Runs it on a mesh whose control plane runs. */
export async function runRolling(mesh: Mesh, options: RollingOptions): Promise<RollingReport> {
  const { endpoints, rate, onProgress } = options;
  const serve = (service: string, program: string, more: readonly string[] = []): Running =>
    mesh.ripstop([
      ...["run", "--service", service, "--port", "auto", ...DRAIN, ...more],
      ...["--", process.execPath, "--eval", program],
    ]);
  const readyOf = async (service: string): Promise<number> => {
    const { body } = await mesh.api("GET", "/v1/workloads");
    const { workloads } = JSON.parse(body) as { readonly workloads: readonly WorkloadRow[] };
    return workloads.filter((row) => row.service === service && row.ready).length;
  };
  const untilReady = (service: string, count: number): Promise<true> =>
    mesh.until(`${service} has ${count} ready instances`, async () =>
      (await readyOf(service)) === count ? true : undefined,
    );

  let instances: Running[] = [];
  // A few at a time: starting is what costs.
  for (let from = 0; from < endpoints; from += 4) {
    const few = Array.from({ length: Math.min(4, endpoints - from) }, () => serve("shop", shopServer));
    instances.push(...few);
    // oxlint-disable-next-line no-await-in-loop -- a few after the other
    await untilReady("shop", instances.length);
  }
  serve("chat", chatServer);
  serve("talk", talkServer, ["--protocol", "grpc"]);
  await untilReady("chat", 1);
  await untilReady("talk", 1);
  const streams = mesh.ripstop([
    ...["run", "--service", "holder", "--upstream", "chat", "--upstream", "talk"],
    ...["--", process.execPath, "--eval", holder],
  ]);
  await streams.printed(/holder ready/);
  await mesh.until("both streams are open", async () => {
    const { webSocket, grpc } = await look(streams);
    return webSocket > 0 && grpc > 0 ? true : undefined;
  });
  const load = await Load.start(mesh, "http://shop/", rate, "mixed");
  let answered = 0;
  await mesh.until("the load is answered", async () => {
    // A report is of the time since the one before.
    answered += (await load.report()).ok;
    return answered > rate / 10 ? true : undefined;
  });
  onProgress(`${endpoints} instances, ${rate} requests a second`);
  const before = await look(streams);
  const already = await load.report();
  const startMs = performance.now();

  const reports: LoadReport[] = [];
  let changes = 0;
  const changing = (async () => {
    for (; changes < options.changes; changes++) {
      // oxlint-disable-next-line no-await-in-loop -- one change after the other
      await change(mesh, changes);
    }
  })();
  for (const [at, old] of [...instances].entries()) {
    // oxlint-disable no-await-in-loop -- one instance after the other
    old.child.kill("SIGTERM");
    const code = await old.ended;
    if (code !== 0) throw new Error(`instance ${at} ended with ${code}:\n${old.output()}`);
    instances = instances.filter((instance) => instance !== old);
    instances.push(serve("shop", shopServer));
    await untilReady("shop", endpoints);
    const report = await load.report();
    reports.push(report);
    onProgress(`rolled ${at + 1}, ${changes} changes: ${report.sent} sent, ${failures(report)} failed`);
    for (const example of report.examples) onProgress(`  ${example}`);
    // oxlint-enable no-await-in-loop
  }
  await changing;
  reports.push(await load.report());
  const after = await look(streams);
  load.rate(0);
  await mesh.until("the last requests are answered", async () => {
    const report = await load.report();
    reports.push(report);
    return report.open === 0 ? true : undefined;
  });
  return {
    rolled: endpoints,
    changes,
    load: sum(reports, already.open),
    held: { webSocket: after.webSocket - before.webSocket, grpc: after.grpc - before.grpc, ended: after.ended },
    seconds: (performance.now() - startMs) / 1000,
  };
}

/** A policy and a route of services that nobody calls: never twice the same. */
async function change(mesh: Mesh, at: number): Promise<void> {
  const text = [
    "apiVersion: ripstop.mesh/v1alpha1",
    "kind: ResiliencePolicy",
    `metadata: { name: other-${at % 10} }`,
    `spec: { targetRefs: [{ kind: Service, name: other-${at % 10} }], timeouts: { request: ${at + 1}ms } }`,
  ].join("\n");
  const answer = await mesh.api("POST", "/v1/apply", { documents: [{ file: "change.yaml", text }] });
  if (answer.status !== 200) throw new Error(`change ${at}: ${answer.status} ${answer.body}`);
}

async function look(streams: Running): Promise<Held> {
  const seen = streams.output().split("\n").length;
  streams.child.stdin?.write("count\n");
  const text = await streams.printed(new RegExp(`^(?:[^\\n]*\\n){${seen - 1}}[^\\n]*held (\\{.*\\})\\n`));
  return JSON.parse(text[1] ?? "{}") as Held;
}

/** `open`: asked before the first report began. */
function sum(reports: readonly LoadReport[], open: number): LoadReport {
  const failed: Record<string, number> = {};
  for (const report of reports)
    for (const [status, count] of Object.entries(report.failed)) failed[status] = (failed[status] ?? 0) + count;
  const total = (of: (report: LoadReport) => number): number => reports.reduce((all, report) => all + of(report), 0);
  return {
    sent: open + total(({ sent }) => sent),
    ok: total(({ ok }) => ok),
    failed,
    examples: reports.flatMap(({ examples }) => examples).slice(0, 10),
    p50Ms: Math.max(...reports.map(({ p50Ms }) => p50Ms)),
    p99Ms: Math.max(...reports.map(({ p99Ms }) => p99Ms)),
    open: reports.at(-1)?.open ?? 0,
    seconds: total(({ seconds }) => seconds),
  };
}

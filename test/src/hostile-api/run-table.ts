// Sends every row of the table while a neighbour works on, and says what came of both.

import { setTimeout as wait } from "node:timers/promises";

import type { Mesh } from "../mesh.ts";
import { hostileCases, type HostileScale } from "./cases.ts";
import { Tenant } from "./remote.ts";

/** What came of one row. */
export interface HostileRow {
  readonly title: string;
  readonly status: number;
  readonly code: string;
  /** What is wrong with the answer; "" when it is as it has to be. */
  readonly problem: string;
  /** How long the last answer took. */
  readonly elapsedMs: number;
  /** What the neighbour saw meanwhile. */
  readonly neighbour: {
    readonly requests: number;
    readonly failed: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  };
}

const PACE_MS = 30;

/** Runs the table on a control plane that serves the API over TLS. */
export async function runHostileTable(
  mesh: Mesh,
  scale: HostileScale,
  onRow: (row: HostileRow) => void = () => undefined,
): Promise<readonly HostileRow[]> {
  const printed = await mesh.control?.printed(/api https:\/\/127\.0\.0\.1:(\d+)\//);
  const port = Number(printed?.[1]);
  const noisy = await Tenant.editor(mesh, port, "noisy");
  const quiet = await Tenant.editor(mesh, port, "quiet");
  const rows: HostileRow[] = [];
  try {
    for (const { title, expected, send } of hostileCases) {
      const work = { done: false };
      const neighbour = live(quiet, work);
      const started = performance.now();
      const answer = await send(noisy, scale).finally(() => (work.done = true));
      const elapsedMs = performance.now() - started;
      const code = /"code":"(RS[0-9]{4})"/.exec(answer.body)?.[1] ?? "";
      const asExpected = answer.status === expected.status && code === expected.code && expected.says.test(answer.body);
      const row: HostileRow = {
        title,
        status: answer.status,
        code,
        problem: asExpected ? "" : answer.body.slice(0, 500),
        elapsedMs,
        neighbour: await neighbour,
      };
      rows.push(row);
      onRow(row);
    }
  } finally {
    noisy.close();
    quiet.close();
  }
  return rows;
}

/** A tenant that reads and now and then changes its own resource, until the work beside it is done. */
async function live(tenant: Tenant, work: { readonly done: boolean }): Promise<HostileRow["neighbour"]> {
  const times: number[] = [];
  let failed = 0;
  for (let count = 0; count === 0 || !work.done; count++) {
    const started = performance.now();
    const answer =
      count % 10 === 0
        ? await tenant.apply(
            `apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: quiet}\nspec:\n  ports: [{port: ${80 + (count % 1_000)}}]\n`,
          )
        : await tenant.send("GET", "/v1/resources?namespace=quiet");
    times.push(performance.now() - started);
    if (answer.status !== 200) failed++;
    await wait(PACE_MS);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { requests: times.length, failed, p50Ms: at(0.5), p99Ms: at(0.99) };
}

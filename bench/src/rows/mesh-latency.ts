// What a mesh hop adds to latency at fixed rates, far from saturation, beside the application asked directly.

import { join } from "node:path";
import { realisticHeaders } from "../load.ts";
import { measureInterleaved, summarize, withCpu, type Values } from "../measure.ts";
import { startPair } from "../mesh-pair.ts";
import { runProgram } from "../processes.ts";
import { http1Upstreams } from "../upstream.ts";
import type { Column, Entry, Row, RowContext, RowResult } from "./row.ts";

const RATES = [1000, 3200] as const;
const CONNECTIONS = 32;
const WARM_UP_SECONDS = 2;

async function run(port: number, ratePerSecond: number, seconds: number): Promise<Readonly<Record<string, number>>> {
  return runProgram("open-loop", {
    port,
    ratePerSecond,
    seconds,
    connections: CONNECTIONS,
    path: "/api/items?page=2",
    headers: realisticHeaders,
  });
}

/** Milliseconds with the direct ones of the same round taken off. */
function added(rate: number, hop: Readonly<Record<string, number>>, direct: Readonly<Record<string, number>>): Values {
  const ms = (key: string): number => (hop[key] ?? Number.NaN) / 1000;
  const addedMs = (key: string): number => ((hop[key] ?? Number.NaN) - (direct[key] ?? Number.NaN)) / 1000;
  return {
    [`p50 ${rate}`]: ms("p50Us"),
    [`p99 ${rate}`]: ms("p99Us"),
    [`+p50 ${rate}`]: addedMs("p50Us"),
    [`+p99 ${rate}`]: addedMs("p99Us"),
  };
}

async function measure(context: RowContext): Promise<RowResult> {
  const upstreams = await http1Upstreams(1, join(context.folder, "upstreams"));
  const application = upstreams.ports[0] ?? 0;
  const directRuns: Values[] = [];
  let lateness = 0;
  try {
    const result = await measureInterleaved(context, {
      duties: ["inbound", "outbound"],
      start: (peer, folder) => startPair(peer, folder, application),
      warmUp: async ({ listen }) => {
        await run(listen, RATES[1], WARM_UP_SECONDS);
        return {};
      },
      sample: async ({ pids, listen }) => {
        const values: Record<string, number> = { errors: 0 };
        const directValues: Record<string, number> = {};
        for (const rate of RATES) {
          const direct = await run(application, rate, context.seconds);
          const { result: hop, total } = await withCpu(pids, () => run(listen, rate, context.seconds));
          Object.assign(values, added(rate, hop, direct), {
            [`cpu ${rate}`]: (total * 1e6) / Math.max(1, hop["requests"] ?? 0),
          });
          Object.assign(directValues, {
            [`p50 ${rate}`]: (direct["p50Us"] ?? 0) / 1000,
            [`p99 ${rate}`]: (direct["p99Us"] ?? 0) / 1000,
            errors: direct["errors"] ?? 0,
          });
          values["errors"] = (values["errors"] ?? 0) + (hop["errors"] ?? 0);
          lateness = Math.max(lateness, hop["latenessP99Us"] ?? 0);
        }
        directRuns.push(directValues);
        return values;
      },
    });
    const direct: Entry = { peer: "direct, no proxy", version: "", values: summarize(directRuns) };
    return {
      ...result,
      entries: [direct, ...result.entries],
      notes: [
        `The load program itself was late by at most ${(lateness / 1000).toFixed(2)} ms (worst p99 of a run); that is in all figures, the direct ones too.`,
      ],
    };
  } finally {
    await upstreams.stop();
  }
}

const columns: readonly Column[] = [
  ...RATES.flatMap((rate): Column[] => [
    { key: `p50 ${rate}`, heading: `${rate}/s: p50 ms`, digits: 2 },
    { key: `p99 ${rate}`, heading: "p99 ms", digits: 2 },
    { key: `+p50 ${rate}`, heading: "added p50", digits: 2 },
    { key: `+p99 ${rate}`, heading: "added p99", digits: 2 },
    { key: `cpu ${rate}`, heading: "CPU µs/request", digits: 0 },
  ]),
  { key: "errors", heading: "errors", digits: 0 },
];

export const meshLatency: Row = {
  id: "mesh-latency",
  title: "The same hop at 1,000 and 3,200 requests a second",
  what: "An open-loop program sends the same requests at a fixed rate on 32 connections; latency counts from the moment a request was due. Added is the difference to the same load on nginx directly, run just before. CPU is that of both proxies.",
  columns,
  profiled: false,
  measure,
  judge: () => [],
};

// Rows that load one proxy with requests as fast as it answers, and count its CPU time for each.

import { join } from "node:path";
import type { LoadResult } from "../load.ts";
import { measureInterleaved, withCpu, type Values } from "../measure.ts";
import type { PlainAssignment } from "../peers/peer.ts";
import { memoryBytes } from "../process-usage.ts";
import { freePort, startServer, type RunningServer } from "../processes.ts";
import type { Upstreams } from "../upstream.ts";
import type { Column, Row, RowContext, RowResult } from "./row.ts";

const WARM_UP_SECONDS = 2;

/** A proxy under load. */
export interface RunningProxy extends RunningServer {
  readonly listen: number;
}

/** What makes one of these rows. */
export interface RequestRowOptions extends Pick<Row, "id" | "title" | "what" | "judge"> {
  readonly protocol: PlainAssignment["protocol"];
  readonly latency: readonly Column[];
  upstreams(count: number, folder: string): Promise<Upstreams>;
  load(port: number, seconds: number): Promise<LoadResult>;
  /** Throws when what comes through the proxy is not right. */
  check?(port: number): Promise<void>;
}

const UPSTREAMS = 3;

/** Columns that every row with requests has. */
export const requestColumns: readonly Column[] = [
  { key: "cpuUs", heading: "CPU µs/request", digits: 1 },
  { key: "userUs", heading: "user", digits: 1 },
  { key: "systemUs", heading: "system", digits: 1 },
  { key: "perSecond", heading: "requests/s", digits: 0 },
];
const errorsColumn: Column = { key: "errors", heading: "errors", digits: 0 };
/** Latencies of wrk. */
export const percentileColumns: readonly Column[] = [
  { key: "p50Ms", heading: "p50 ms", digits: 2 },
  { key: "p99Ms", heading: "p99 ms", digits: 2 },
];
/** Latencies of h2load. */
export const meanColumns: readonly Column[] = [{ key: "meanMs", heading: "mean ms", digits: 2 }];
const memoryColumns: readonly Column[] = [{ key: "residentMb", heading: "RSS MB after", digits: 1 }];

/** Columns with the latencies of one tool. */
export function columnsWith(latency: readonly Column[]): readonly Column[] {
  return [...requestColumns, ...latency, errorsColumn, ...memoryColumns];
}

/** Figures of one run of load. */
export async function sampleRequests(pids: readonly number[], load: () => Promise<LoadResult>): Promise<Values> {
  const { result, user, system, total } = await withCpu(pids, load);
  if (result.requests === 0) throw new Error("no request was answered");
  const perRequest = (seconds: number): number => (seconds * 1e6) / result.requests;
  return {
    cpuUs: perRequest(total),
    userUs: perRequest(user),
    systemUs: perRequest(system),
    perSecond: result.requests / result.seconds,
    errors: result.errors,
    ...result.latency,
  };
}

/** Makes a row. */
export function requestRow(options: RequestRowOptions): Row {
  return {
    id: options.id,
    title: options.title,
    what: options.what,
    columns: columnsWith(options.latency),
    profiled: true,
    judge: (entries) => options.judge(entries),
    measure: (context) => measure(options, context),
  };
}

async function measure(options: RequestRowOptions, context: RowContext): Promise<RowResult> {
  const { protocol } = options;
  const upstreams = await options.upstreams(UPSTREAMS, join(context.folder, "upstreams"));
  try {
    return await measureInterleaved<RunningProxy>(context, {
      duties: [protocol],
      start: async (peer, folder) => {
        const listen = await freePort();
        const server = await startServer(
          await peer.plain({ protocol, listen, upstreams: upstreams.ports, folder }),
          listen,
        );
        return { ...server, listen };
      },
      warmUp: async ({ listen }) => {
        await options.check?.(listen);
        await options.load(listen, WARM_UP_SECONDS);
        return {};
      },
      sample: ({ pids, listen }) => sampleRequests(pids, () => options.load(listen, context.seconds)),
      finish: async ({ pids }) => ({ residentMb: memoryBytes(pids).resident / 1e6 }),
    });
  } finally {
    await upstreams.stop();
  }
}

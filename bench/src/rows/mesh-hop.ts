// Two proxies with mutual TLS between them, as fast as they answer; the CPU time of both counts.

import { join } from "node:path";
import { about, atMostTimes } from "../goals.ts";
import { wrk, type LoadResult } from "../load.ts";
import { measureInterleaved } from "../measure.ts";
import { startPair } from "../mesh-pair.ts";
import { cpuSeconds } from "../process-usage.ts";
import { http1Upstreams } from "../upstream.ts";
import { percentileColumns, requestColumns, sampleRequests } from "./request-row.ts";
import type { Row, RowContext, RowResult } from "./row.ts";

const CONNECTIONS = 32;
const WARM_UP_SECONDS = 2;

async function measure(context: RowContext): Promise<RowResult> {
  const upstreams = await http1Upstreams(1, join(context.folder, "upstreams"));
  const application = upstreams.ports[0] ?? 0;
  const load = (port: number, seconds: number): Promise<LoadResult> =>
    wrk(`http://127.0.0.1:${port}/api/items?page=2`, CONNECTIONS, seconds);
  try {
    return await measureInterleaved(context, {
      duties: ["inbound", "outbound"],
      start: (peer, folder) => startPair(peer, folder, application),
      warmUp: async ({ listen }) => {
        await load(listen, WARM_UP_SECONDS);
        return {};
      },
      sample: async ({ pids, outboundPids, listen }) => {
        const before = cpuSeconds(outboundPids);
        let requests = 1;
        const values = await sampleRequests(pids, async () => {
          const result = await load(listen, context.seconds);
          requests = Math.max(1, result.requests);
          return result;
        });
        const after = cpuSeconds(outboundPids);
        return { ...values, outUs: ((after.user + after.system - before.user - before.system) * 1e6) / requests };
      },
    });
  } finally {
    await upstreams.stop();
  }
}

export const meshHop: Row = {
  id: "mesh-hop",
  title: "Two-proxy mesh hop with mutual TLS, HTTP/1.1 client and server, 32 connections",
  what: "wrk → OUT proxy → HTTP/2 over mutual TLS 1.3 → IN proxy → nginx; the requests of the first row, certificates of one authority for all. CPU is that of both proxies together.",
  columns: [
    ...requestColumns,
    { key: "outUs", heading: "of it OUT", digits: 1 },
    ...percentileColumns,
    { key: "errors", heading: "errors", digits: 0 },
  ],
  profiled: true,
  measure,
  judge: (entries) => [about("CPU of both proxies", atMostTimes(entries, "cpuUs", 0.6, "Envoy"))],
};

// Raw TCP in one direction: bytes for a CPU second of the proxy.

import { atLeastTimes, about } from "../goals.ts";
import { measureInterleaved, withCpu } from "../measure.ts";
import { freePort, ownProgram, runProgram, startServer } from "../processes.ts";
import type { RunningProxy } from "./request-row.ts";
import type { Row, RowContext, RowResult } from "./row.ts";

const CHUNK_BYTES = 256 * 1024;

async function measure(context: RowContext): Promise<RowResult> {
  const sinkPort = await freePort();
  const sink = await startServer(ownProgram("bulk-sink", { port: sinkPort }), sinkPort);
  try {
    return await measureInterleaved<RunningProxy>(context, {
      duties: ["tcp"],
      start: async (peer, folder) => {
        const listen = await freePort();
        const server = await startServer(
          await peer.plain({ protocol: "tcp", listen, upstreams: [sinkPort], folder }),
          listen,
        );
        return { ...server, listen };
      },
      warmUp: async ({ listen }) => {
        await runProgram("bulk-sender", { port: listen, seconds: 1, chunkBytes: CHUNK_BYTES });
        return {};
      },
      sample: async ({ pids, listen }) => {
        const { result, total } = await withCpu(pids, () =>
          runProgram("bulk-sender", { port: listen, seconds: context.seconds, chunkBytes: CHUNK_BYTES }),
        );
        const gigabytes = (result["bytes"] ?? 0) / 1e9;
        return {
          gbPerSecond: gigabytes / (result["seconds"] ?? 1),
          cpuPerGb: total / gigabytes,
          gbPerCpuSecond: gigabytes / total,
        };
      },
    });
  } finally {
    await sink.stop();
  }
}

export const tcpBulk: Row = {
  id: "tcp-bulk",
  title: "Raw TCP, bulk in one direction",
  what: "One connection sends writes of 256 KB as fast as they are taken, half-closes, and gets the count of bytes that arrived. Buffers: HAProxy tune.bufsize 256 KB, Envoy buffer limits 256 KB, Ripstop its own default.",
  columns: [
    { key: "gbPerSecond", heading: "GB/s", digits: 2 },
    { key: "cpuPerGb", heading: "CPU s/GB", digits: 3 },
    { key: "gbPerCpuSecond", heading: "GB per CPU s", digits: 2 },
  ],
  profiled: true,
  measure,
  judge: (entries) => [about("bytes per CPU second", atLeastTimes(entries, "gbPerCpuSecond", 1, "HAProxy"))],
};

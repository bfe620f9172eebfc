// Memory of one proxy: idle after its start, and after load.

import { join } from "node:path";
import { about, atMost } from "../goals.ts";
import { wrk } from "../load.ts";
import { measureInterleaved } from "../measure.ts";
import { memoryBytes } from "../process-usage.ts";
import { freePort, pause, startServer } from "../processes.ts";
import { http1Upstreams } from "../upstream.ts";
import type { RunningProxy } from "./request-row.ts";
import type { Row, RowContext, RowResult } from "./row.ts";

const SETTLE_MS = 1_000;

async function measure(context: RowContext): Promise<RowResult> {
  const upstreams = await http1Upstreams(3, join(context.folder, "upstreams"));
  try {
    return await measureInterleaved<RunningProxy>(context, {
      duties: ["http1"],
      start: async (peer, folder) => {
        const listen = await freePort();
        const server = await startServer(
          await peer.plain({ protocol: "http1", listen, upstreams: upstreams.ports, folder }),
          listen,
        );
        return { ...server, listen };
      },
      warmUp: async ({ pids }) => {
        await pause(SETTLE_MS);
        const idle = memoryBytes(pids);
        return { idleMb: idle.resident / 1e6, idlePrivateMb: idle.private / 1e6 };
      },
      sample: async ({ pids, listen }) => {
        const load = await wrk(`http://127.0.0.1:${listen}/api/items?page=2`, 32, context.seconds);
        await pause(SETTLE_MS);
        const loaded = memoryBytes(pids);
        return { loadedMb: loaded.resident / 1e6, loadedPrivateMb: loaded.private / 1e6, errors: load.errors };
      },
    });
  } finally {
    await upstreams.stop();
  }
}

export const memory: Row = {
  id: "memory",
  title: "Memory of one proxy",
  what: "Idle: one second after the start. After load: one second after each run of the first row's load (median). Private is what no other process shares; the rest is mostly the executable, shared by all proxies of a host.",
  columns: [
    { key: "idleMb", heading: "RSS MB idle", digits: 1 },
    { key: "idlePrivateMb", heading: "private", digits: 1 },
    { key: "loadedMb", heading: "RSS MB after load", digits: 1 },
    { key: "loadedPrivateMb", heading: "private", digits: 1 },
    { key: "errors", heading: "errors", digits: 0 },
  ],
  profiled: false,
  measure,
  judge: (entries) => [
    about("idle", atMost(entries, "idleMb", 48, "MB")),
    about("after load", atMost(entries, "loadedMb", 65, "MB")),
  ],
};

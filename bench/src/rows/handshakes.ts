// New mutual-TLS connections at the inbound proxy: CPU for each, with a full handshake and resumed.

import { join } from "node:path";
import { about, atMostTimes } from "../goals.ts";
import { measureInterleaved, withCpu, type Values } from "../measure.ts";
import { startInbound, type RunningInbound } from "../mesh-pair.ts";
import { INBOUND_SERVER_NAME } from "../peers/peer.ts";
import { runProgram } from "../processes.ts";
import type { MeshTarget } from "../programs/mesh-client.ts";
import { http1Upstreams } from "../upstream.ts";
import type { Row, RowContext, RowResult } from "./row.ts";

const LANES = 4;
/** Of each kind before anything is counted, so that what runs is compiled, and how long that may take. */
const WARM_UP_CONNECTIONS = 1_500;
const WARM_UP_SECONDS = 20;

/** Where a load program finds an inbound proxy, and as whom it comes. */
export function meshTarget({ listen, mesh }: RunningInbound): MeshTarget {
  const { chainFile, keyFile } = mesh.client;
  return { port: listen, serverName: INBOUND_SERVER_NAME, chainFile, keyFile, bundleFile: mesh.bundleFile };
}

async function sampleKind(running: RunningInbound, seconds: number, resume: boolean): Promise<Values> {
  const { result, total } = await withCpu(running.pids, () =>
    runProgram("handshakes", { target: meshTarget(running), seconds, resume, lanes: LANES }),
  );
  const connections = result["connections"] ?? 0;
  if (connections === 0) throw new Error("no connection was made");
  const kind = resume ? "resumed" : "full";
  return {
    [`${kind}Us`]: (total * 1e6) / connections,
    [`${kind}PerSecond`]: connections / seconds,
    ...(resume && { resumedPercent: (100 * (result["resumed"] ?? 0)) / connections }),
    errors: result["errors"] ?? 0,
  };
}

async function warmUp(running: RunningInbound, resume: boolean): Promise<void> {
  let connections = 0;
  for (let second = 0; second < WARM_UP_SECONDS && connections < WARM_UP_CONNECTIONS; second++) {
    // oxlint-disable-next-line no-await-in-loop -- one second after the other
    const values = await sampleKind(running, 1, resume);
    connections += values[resume ? "resumedPerSecond" : "fullPerSecond"] ?? 0;
  }
}

async function measure(context: RowContext): Promise<RowResult> {
  const upstreams = await http1Upstreams(1, join(context.folder, "upstreams"));
  try {
    return await measureInterleaved(context, {
      duties: ["inbound"],
      start: (peer, folder) => startInbound(peer, folder, upstreams.ports[0] ?? 0),
      warmUp: async (running) => {
        await warmUp(running, false);
        await warmUp(running, true);
        return {};
      },
      sample: async (running) => {
        const full = await sampleKind(running, context.seconds, false);
        const resumed = await sampleKind(running, context.seconds, true);
        return { ...full, ...resumed, errors: (full["errors"] ?? 0) + (resumed["errors"] ?? 0) };
      },
    });
  } finally {
    await upstreams.stop();
  }
}

export const handshakes: Row = {
  id: "handshakes",
  title: "New connections with mutual TLS 1.3, full handshake and resumed",
  what: "Four lanes open connections to the IN proxy one after the other (P-256 certificates of one intermediate, client verified), send one HTTP/2 request on each and cut it, after a warm-up of up to 1,500 of each kind. CPU of the proxy for each connection, its request included.",
  columns: [
    { key: "fullUs", heading: "CPU µs, full", digits: 0 },
    { key: "resumedUs", heading: "CPU µs, resumed", digits: 0 },
    { key: "fullPerSecond", heading: "full/s", digits: 0 },
    { key: "resumedPerSecond", heading: "resumed/s", digits: 0 },
    { key: "resumedPercent", heading: "really resumed %", digits: 0 },
    { key: "errors", heading: "errors", digits: 0 },
  ],
  profiled: true,
  measure,
  judge: (entries) => [
    about("full handshake", atMostTimes(entries, "fullUs", 1.15, "HAProxy")),
    about("resumed", atMostTimes(entries, "resumedUs", 0.9, "HAProxy")),
  ],
};

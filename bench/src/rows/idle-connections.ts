// Memory of idle connections, plain and with mutual TLS.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { about, atMost } from "../goals.ts";
import { holdConnections } from "../held-connections.ts";
import { measureInterleaved, type Values } from "../measure.ts";
import { startInbound, type RunningInbound } from "../mesh-pair.ts";
import { memoryBytes } from "../process-usage.ts";
import { freePort, pause, startServer } from "../processes.ts";
import { http1Upstreams } from "../upstream.ts";
import { meshTarget } from "./handshakes.ts";
import type { Row, RowContext, RowResult } from "./row.ts";

/** Files that a proxy and the holder need beside the connections; HAProxy reserves two for each connection. */
const SPARE_FILES = 800;
const LANES = 16;
const WARM_CONNECTIONS = 50;
const SETTLE_MS = 2_000;

interface RunningBoth extends RunningInbound {
  readonly plain: number;
  readonly plainPids: readonly number[];
}

/** Files that a process may open here. */
function fileLimit(): number {
  return Number(/^Max open files +[0-9]+ +([0-9]+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 1024);
}

async function perConnection(
  pids: readonly number[],
  count: number,
  kind: string,
  hold: (count: number) => ReturnType<typeof holdConnections>,
): Promise<Values> {
  const warm = await hold(WARM_CONNECTIONS);
  await warm.release();
  await pause(SETTLE_MS);
  const before = memoryBytes(pids);
  const held = await hold(count);
  await pause(SETTLE_MS);
  const after = memoryBytes(pids);
  await held.release();
  const each = (bytes: number): number => bytes / 1024 / held.open;
  return {
    [`${kind}Kb`]: each(after.resident - before.resident),
    [`${kind}PrivateKb`]: each(after.private - before.private),
    [`${kind}Open`]: held.open,
  };
}

async function measure(context: RowContext): Promise<RowResult> {
  const upstreams = await http1Upstreams(1, join(context.folder, "upstreams"));
  const application = upstreams.ports[0] ?? 0;
  const limit = fileLimit();
  const count = Math.min(context.idleConnections, Math.floor((limit - SPARE_FILES) / 2));
  try {
    const result = await measureInterleaved<RunningBoth>(
      { ...context, rounds: 1 },
      {
        duties: ["http1", "inbound"],
        start: async (peer, folder) => {
          const listen = await freePort();
          const plain = await startServer(
            await peer.plain({ protocol: "http1", listen, upstreams: [application], folder }),
            listen,
          );
          const inbound = await startInbound(peer, folder, application);
          return {
            ...inbound,
            plain: listen,
            plainPids: plain.pids,
            stop: async () => void (await Promise.all([plain.stop(), inbound.stop()])),
          };
        },
        sample: async (running) => ({
          ...(await perConnection(running.plainPids, count, "plain", (wanted) =>
            holdConnections({ port: running.plain, count: wanted, lanes: LANES }),
          )),
          ...(await perConnection(running.pids, count, "tls", (wanted) =>
            holdConnections({ port: running.listen, count: wanted, lanes: LANES, target: meshTarget(running) }),
          )),
        }),
      },
    );
    const asked =
      count < context.idleConnections
        ? `; ${context.idleConnections} were asked for, but a process may open only ${limit} files here and HAProxy reserves two for each connection`
        : "";
    return { ...result, notes: [`${count} connections each, measured once${asked}.`] };
  } finally {
    await upstreams.stop();
  }
}

export const idleConnections: Row = {
  id: "idle-connections",
  title: "Idle connections, plain and with mutual TLS",
  what: "Each connection has had one request answered and stays open. Growth of the proxy's resident memory for each, two seconds after the last one; kernel memory is not in it. Plain: HTTP/1.1 at the OUT proxy; TLS: HTTP/2 at the IN proxy.",
  columns: [
    { key: "plainKb", heading: "plain KB each", digits: 1 },
    { key: "plainPrivateKb", heading: "private", digits: 1 },
    { key: "tlsKb", heading: "TLS KB each", digits: 1 },
    { key: "tlsPrivateKb", heading: "private", digits: 1 },
    { key: "plainOpen", heading: "open", digits: 0 },
  ],
  profiled: false,
  measure,
  judge: (entries) => [
    about("plain", atMost(entries, "plainKb", 10, "KB each")),
    about("TLS", atMost(entries, "tlsKb", 45, "KB each")),
  ],
};

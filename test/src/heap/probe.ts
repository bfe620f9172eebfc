// Loaded into a proxy with NODE_OPTIONS=--import: tells its memory after a forced collection, on a Unix socket of its own.
// Only tests use it; nothing of it is in the product.

import { createServer } from "node:net";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Memory and handles of one process, all garbage collected. Bytes. */
export interface ProbeAnswer {
  readonly heapUsed: number;
  /** Memory outside the heap that JavaScript objects hold, buffers included. */
  readonly external: number;
  readonly arrayBuffers: number;
  readonly resident: number;
  /** Active handles and requests by kind: "TCPSocketWrap", "TCPServerWrap", "Timeout" and so on. */
  readonly resources: Readonly<Record<string, number>>;
}

/** Where the process `pid` answers. */
export function probePath(folder: string, pid: number): string {
  return join(folder, `${pid}.sock`);
}

const folder = process.env["RIPSTOP_PROBE_FOLDER"];
// Of all processes that inherit the options, the proxies are looked at.
if (folder !== undefined && process.argv.includes("--state-dir")) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const look = (): ProbeAnswer => {
    // Twice: what finalizers let go of in the first is free in the second.
    collect();
    collect();
    const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
    const resources: Record<string, number> = {};
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
    return { heapUsed, external, arrayBuffers, resident: rss, resources };
  };
  createServer((socket) => {
    // A turn for the finalizers first.
    setImmediate(() => socket.end(JSON.stringify(look())));
  })
    .listen(probePath(folder, process.pid))
    .unref();
}

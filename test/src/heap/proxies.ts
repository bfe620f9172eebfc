// Proxies of real processes that can be looked at: started with the probe in them.

import { existsSync, mkdirSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { workloads } from "../integrity/look.ts";
import type { Mesh } from "../mesh.ts";
import { probePath, type ProbeAnswer } from "./probe.ts";

/** Environment of `ripstop run` by which its proxy answers at a socket below `folder`, which is made. */
export function probeEnvironment(folder: string): NodeJS.ProcessEnv {
  mkdirSync(folder, { recursive: true });
  const probe = pathToFileURL(join(dirname(fileURLToPath(import.meta.url)), "probe.js")).href;
  return { RIPSTOP_PROBE_FOLDER: folder, NODE_OPTIONS: `--import=${probe}` };
}

/** Waits until the proxies of `count` workloads, and no others, can be looked at. */
export async function untilProbed(mesh: Mesh, folder: string, count: number): Promise<void> {
  await mesh.until(`${count} proxies can be looked at`, async () => {
    const rows = await workloads(mesh);
    return rows.length === count && rows.every((row) => existsSync(probePath(folder, row.proxyPid))) ? true : undefined;
  });
}

/** Collects the garbage of the proxy with this pid and looks at it. */
export function lookInto(folder: string, pid: number): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    let text = "";
    connect(probePath(folder, pid))
      .on("data", (chunk: Buffer) => (text += chunk.toString()))
      .on("end", () => resolve(JSON.parse(text) as ProbeAnswer))
      .on("error", reject);
  });
}

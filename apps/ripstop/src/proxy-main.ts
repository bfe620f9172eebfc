// The data plane as a program of its own: what `ripstop run` and `--workers` start. Bundled as one CommonJS file
// (tools/bin/lib/bundle.mjs), because Node starts that sooner than a module with its chunks.

import type { Proxy } from "@ripstop/proxy-engine";
import { proxyRole } from "./roles/proxy.ts";

let proxy: Proxy | undefined;

void proxyRole(process.argv.slice(2)).then((started) => {
  proxy = started;
});

/** Whether it has carried traffic: then what a request needs is compiled (run-cached.ts). */
export function isWarm(): boolean {
  return proxy !== undefined && proxy.engine.edges.size > 0;
}

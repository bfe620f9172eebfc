// The data plane as a program of its own: what `ripstop run` and `--workers` start. Bundled as one CommonJS file
// (tools/bin/lib/bundle.mjs), because Node starts that sooner than a module with its chunks.

import { proxyRole } from "./roles/proxy.ts";

void proxyRole(process.argv.slice(2));

// Starts proxy.cjs, the data plane as one file, with the code cache of earlier starts. Bundled on its own
// (tools/bin/lib/bundle.mjs); proxy.cjs runs without it too.

import { dirname, join } from "node:path";
import { systemClock } from "@ripstop/core";
import { runCached } from "./run-cached.ts";

runCached(join(dirname(process.argv[1] ?? ""), "proxy.cjs"), systemClock);

// Starts proxy.cjs, the data plane as one file, with the code cache of earlier starts. Bundled on its own
// (tools/bin/lib/bundle.mjs); proxy.cjs runs without it too.

import { dirname, join } from "node:path";
import { systemClock } from "@ripstop/core";
import { holdMemory } from "./memory-options.ts";
import { runCached } from "./run-cached.ts";

/** By then it has started, and is not yet larger than it should be. */
const HOLD_AFTER_MS = 100;

runCached(join(dirname(process.argv[1] ?? ""), "proxy.cjs"), systemClock);
systemClock.after(HOLD_AFTER_MS, () => holdMemory(process.execArgv));

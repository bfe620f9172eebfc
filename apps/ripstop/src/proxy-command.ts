// How this program starts its own proxy role.

import { realpathSync } from "node:fs";
import type { ProxyCommand } from "@ripstop/agent-engine";

/**
 * V8 options of a proxy process. The young generation is kept small: the hot path allocates little, and a large one is
 * resident memory for nothing.
 */
const PROXY_V8_OPTIONS = ["--max-semi-space-size=2"];

/** This very program with the role `proxy`. */
export function proxyCommand(): ProxyCommand {
  return {
    execPath: process.execPath,
    execArgs: [...process.execArgv, ...PROXY_V8_OPTIONS],
    modulePath: realpathSync(process.argv[1] ?? ""),
    args: ["proxy"],
  };
}

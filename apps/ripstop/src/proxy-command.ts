// How this program starts its own proxy role.

import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ProxyCommand } from "@ripstop/agent-engine";
import { memoryOptions } from "./memory-options.ts";

/** One helper thread is enough for the small young generation of a proxy. */
const PROXY_OPTIONS = ["--v8-pool-size=1"];

/** One malloc arena instead of one per thread: the helper threads of a proxy allocate next to nothing. */
const PROXY_ENVIRONMENT = { MALLOC_ARENA_MAX: "1" };

/** Beside the program, put there by the build. */
const OPENSSL_CONFIG = "openssl-proxy.cnf";

/**
 * The proxy that belongs to `executable` (default: this very program): its own file beside the bundle, else the program
 * with the role `proxy`.
 */
export function proxyCommand(executable: string = process.argv[1] ?? ""): ProxyCommand {
  const program = realpathSync(executable);
  const own = join(dirname(program), "proxy-start.cjs");
  const hasOwn = existsSync(own);
  // proxy-start.ts sets them itself: under them V8 would compile all of Node's own modules at the start.
  const memory = hasOwn ? [] : memoryOptions(process.execArgv).map(({ atStart }) => atStart);
  return {
    execPath: process.execPath,
    execArgs: [...new Set([...process.execArgv, ...PROXY_OPTIONS, ...memory]), ...opensslOptions(program)],
    modulePath: hasOwn ? own : program,
    args: hasOwn ? [] : ["proxy"],
    env: PROXY_ENVIRONMENT,
  };
}

/** Node's option for our OpenSSL configuration; none where the operator has chosen one (for FIPS, say). */
function opensslOptions(modulePath: string): readonly string[] {
  const chosen =
    "OPENSSL_CONF" in process.env ||
    process.execArgv.some((option) => option.startsWith("--openssl-")) ||
    (process.env["NODE_OPTIONS"] ?? "").includes("--openssl-");
  const file = join(dirname(modulePath), OPENSSL_CONFIG);
  return chosen || !existsSync(file) ? [] : [`--openssl-config=${file}`];
}

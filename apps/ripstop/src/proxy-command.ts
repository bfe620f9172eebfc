// How this program starts its own proxy role.

import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ProxyCommand } from "@ripstop/agent-engine";

/**
 * V8 options of a proxy process, chosen for resident memory. The young generation (MiB per half) is kept small: the hot
 * path allocates little (4 costs 5 MiB more than 2 under load). One helper thread is enough for it. The middle compiler
 * Maglev (on since Node 22) costs 17 MB under load on Node 26, and what runs long is compiled by TurboFan all
 * the same: 32.2 against 31.8 µs of CPU a request once warm.
 */
const PROXY_V8_OPTIONS = ["--max-semi-space-size=2", "--v8-pool-size=1", "--no-maglev"];

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
  return {
    execPath: process.execPath,
    execArgs: [...new Set([...process.execArgv, ...PROXY_V8_OPTIONS]), ...opensslOptions(program)],
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

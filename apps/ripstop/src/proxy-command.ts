// How this program starts its own proxy role.

import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ProxyCommand } from "@ripstop/agent-engine";
import { sizesYoungGeneration } from "./young-generation.ts";

/**
 * Options of a proxy process, chosen for resident memory. One helper thread is enough for its small young generation. The
 * middle compiler Maglev (on since Node 22) costs 17 MB under load on Node 26, and what runs long is compiled by TurboFan all
 * the same: 32.2 against 31.8 us of CPU a request once warm.
 */
const PROXY_OPTIONS = ["--v8-pool-size=1", "--no-maglev"];

/**
 * MiB of a half of the young generation. It is kept small: the hot path allocates little (4 costs 5 MiB more than 2 under
 * load). Where V8's options are the default ones otherwise, proxy-start.ts does it instead: with an option that is not V8
 * compiles all of Node's own modules at the start, which takes 20 ms.
 */
const YOUNG_GENERATION = "--max-semi-space-size=2";

/** Since then Node has Maglev on, and `--no-maglev` is such an option. */
const FIRST_WITH_MAGLEV = 22;

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
  const holdsItself = hasOwn && Number.parseInt(process.versions.node) < FIRST_WITH_MAGLEV;
  const young = holdsItself || sizesYoungGeneration(process.execArgv) ? [] : [YOUNG_GENERATION];
  return {
    execPath: process.execPath,
    execArgs: [...new Set([...process.execArgv, ...PROXY_OPTIONS, ...young]), ...opensslOptions(program)],
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

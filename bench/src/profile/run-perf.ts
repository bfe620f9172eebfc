// Runs a peer's proxies under Linux's perf, and reads what it saw.

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Launch, Peer } from "../peers/peer.ts";
import { hasProgram } from "../processes.ts";
import { parsePerfScript, type PerfSample } from "./perf-profile.ts";

/** Node's options that give perf the names of compiled functions; V8's log stays in `folder`. */
export function perfNodeFlags(folder: string): readonly string[] {
  return ["--perf-basic-prof", "--no-logfile-per-isolate", `--logfile=${join(folder, "v8.log")}`];
}

/** Whether perf is here and may look at this user's processes. */
export function canPerf(): boolean {
  return hasProgram("perf") && spawnSync("perf", ["record", "-o", "/dev/null", "-e", "cpu-clock", "true"]).status === 0;
}

/** The same peer with every proxy run by perf, which leaves a file for each in `folder`. */
export function underPerf(peer: Peer, folder: string): Peer {
  const wrap = ({ command, args, ...rest }: Launch): Launch => ({
    command: "sh",
    args: ["-c", 'exec perf record -e cpu-clock -F 1999 -g -o "$0/perf-$$.data" -- "$@"', folder, command, ...args],
    ...rest,
  });
  return {
    ...peer,
    plain: async (assignment) => wrap(await peer.plain(assignment)),
    inbound: async (assignment) => wrap(await peer.inbound(assignment)),
    outbound: async (assignment) => wrap(await peer.outbound(assignment)),
  };
}

/** The samples of each proxy that perf left in `folder`. Takes away the files of names that V8 wrote for them. */
export function readPerf(folder: string): readonly (readonly PerfSample[])[] {
  return readdirSync(folder)
    .filter((name) => /^perf-\d+\.data$/.test(name))
    .map((name) => {
      const { stdout } = spawnSync("perf", ["script", "-i", join(folder, name), "-F", "time,ip,sym,dso"], {
        encoding: "utf8",
        maxBuffer: 1024 ** 3,
      });
      for (const [map] of stdout.matchAll(/\/tmp\/perf-\d+\.map/g)) rmSync(map, { force: true });
      return parsePerfScript(stdout);
    });
}

// What a process used, by the kernel's own accounting (/proc).

import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

/** CPU seconds (user and system, all threads) that processes have used so far. */
export interface CpuSeconds {
  readonly user: number;
  readonly system: number;
}

/** Sum over `pids`; a process that is gone counts nothing. */
export function cpuSeconds(pids: readonly number[]): CpuSeconds {
  let user = 0;
  let system = 0;
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      user += Number(fields[11]) / TICKS_PER_SECOND;
      system += Number(fields[12]) / TICKS_PER_SECOND;
    } catch {
      // The process has ended.
    }
  }
  return { user, system };
}

/** Resident and private memory in bytes, summed over `pids`. */
export function memoryBytes(pids: readonly number[]): { readonly resident: number; readonly private: number } {
  let resident = 0;
  let own = 0;
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const kilobytes = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+([0-9]+) kB`, "m").exec(rollup)?.[1] ?? 0);
    resident += kilobytes("Rss") * 1024;
    own += (kilobytes("Private_Clean") + kilobytes("Private_Dirty")) * 1024;
  }
  return { resident, private: own };
}

/** `pid` and all its descendants. */
export function processTree(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // The process has ended.
    }
  }
  const tree = [pid];
  for (let at = 0; at < tree.length; at++) {
    for (const [child, parent] of parents) if (parent === tree[at]) tree.push(child);
  }
  return tree;
}

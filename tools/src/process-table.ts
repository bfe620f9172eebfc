// Which processes of this machine carry a mark in their environment, as Linux tells in /proc.

import { readFileSync, readdirSync } from "node:fs";

/** A process that carries the mark. */
export interface MarkedProcess {
  readonly pid: number;
  /** Its command line, words parted by spaces. */
  readonly command: string;
  /** Whether it is stopped already, for instance by a test that wants it so. */
  readonly isStopped: boolean;
}

/** Reads a file of /proc; empty when the process is gone or belongs to somebody else. */
function readProcFile(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/**
 * The running processes whose environment holds exactly `NAME=value` as `mark`, except zombies. A child inherits it from its
 * parent, also when it lives on without it, so that no other process is ever found. Linux only; empty elsewhere.
 */
export function markedProcesses(mark: string): readonly MarkedProcess[] {
  const found: MarkedProcess[] = [];
  let names: readonly string[] = [];
  try {
    names = readdirSync("/proc");
  } catch {
    return found;
  }
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    if (!readProcFile(`/proc/${name}/environ`).split("\0").includes(mark)) continue;
    const stat = readProcFile(`/proc/${name}/stat`);
    // The name in brackets may hold anything; the state follows its last bracket.
    const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
    if (state === "" || state === "Z" || state === "X") continue;
    const command = readProcFile(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim();
    found.push({ pid: Number(name), command, isStopped: state === "T" || state === "t" });
  }
  return found;
}

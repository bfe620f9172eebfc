// One control plane per mesh home: a lock file that names its process. A lock whose process is gone is taken over.

import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { err, ok, type Result } from "@ripstop/core";

import { alreadyRunning } from "../errors.ts";
import type { Failure } from "../failure.ts";

/** A lock that is held. */
export interface HomeLock {
  release(): void;
}

interface Holder {
  readonly pid: number;
  /** Tells a process from a later one with the same id; "" where the system does not say. */
  readonly startTime: string;
}

/** Makes the home (0700) and takes its lock; fails with RS3020 when a living control plane holds it. */
export function lockHome(home: string): Result<HomeLock, Failure> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const path = join(home, "control.lock");
  const mine: Holder = { pid: process.pid, startTime: startTimeOf(process.pid) };
  // Written apart and linked into place, so that nobody reads a lock that is not whole yet.
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        linkSync(draft, path);
        return ok({ release: () => rmSync(path, { force: true }) });
      } catch (error) {
        if (!(error instanceof Error) || !("code" in error) || error.code !== "EEXIST") throw error;
      }
      const holder = readHolder(path);
      if (holder !== undefined && isAlive(holder)) {
        return err({ kind: alreadyRunning, message: `process ${holder.pid} runs the control plane of ${home}` });
      }
      rmSync(path, { force: true });
    }
    return err({ kind: alreadyRunning, message: `another control plane is starting on ${home} right now` });
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Whether a process of this machine lives, its owner aside. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function isAlive({ pid, startTime }: Holder): boolean {
  return isProcessAlive(pid) && (startTime === "" || startTimeOf(pid) === startTime);
}

function readHolder(path: string): Holder | undefined {
  try {
    const holder: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof holder !== "object" || holder === null || !("pid" in holder) || typeof holder.pid !== "number")
      return undefined;
    return { pid: holder.pid, startTime: "startTime" in holder ? String(holder.startTime) : "" };
  } catch {
    return undefined;
  }
}

/** Linux: field 22 of /proc/PID/stat (the name in field 2 may hold spaces, so count from its closing bracket). */
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

// The mesh home: the directory (mode 0700) through which the roles on one machine find each other.

import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { err, ok, RipstopError, type Result } from "@ripstop/core";
import { homeUnusable } from "./errors.ts";

/** Longest path of a Unix socket on Linux (sun_path without its final zero); macOS has 103. */
const MAX_SOCKET_PATH_BYTES = process.platform === "darwin" ? 103 : 107;
const PID_FILE = "supervisor.pid";

/** Name of the Workload API's socket in a state directory. */
export const workloadApiSocket: string = "workload.sock";

/** Paths inside a mesh home. */
export interface MeshHome {
  readonly path: string;
  /** The control plane's REST API. */
  readonly apiSocket: string;
  /** What the control plane says of itself while it runs. */
  readonly controlFile: string;
  /** One state directory per workload that runs. */
  readonly runDirectory: string;
}

/** The mesh home named by `option`, else by RIPSTOP_HOME, else ~/.ripstop. Nothing is created. */
export function meshHome(option: string | undefined, env: NodeJS.ProcessEnv): MeshHome {
  const path = resolve(option ?? env["RIPSTOP_HOME"] ?? join(homedir(), ".ripstop"));
  return {
    path,
    apiSocket: join(path, "control.sock"),
    controlFile: join(path, "control.json"),
    runDirectory: join(path, "run"),
  };
}

/** Where the state directory of a workload is, whether it exists or not. */
export function stateDirectoryOf(home: MeshHome, workloadId: string): string {
  return join(home.runDirectory, workloadId.replace("/", "_"));
}

/** Makes the state directory of a workload (0700), emptied of an earlier run, marked with this process's id. */
export function createStateDirectory(home: MeshHome, workloadId: string): Result<string, RipstopError> {
  const path = stateDirectoryOf(home, workloadId);
  const longest = Buffer.byteLength(join(path, workloadApiSocket));
  if (longest > MAX_SOCKET_PATH_BYTES) {
    return err(
      new RipstopError(
        homeUnusable,
        `${path}/${workloadApiSocket} has ${longest} bytes, a socket path has at most ${MAX_SOCKET_PATH_BYTES}`,
      ),
    );
  }
  try {
    mkdirSync(home.path, { recursive: true, mode: 0o700 });
    mkdirSync(home.runDirectory, { recursive: true, mode: 0o700 });
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { mode: 0o700 });
  } catch (cause) {
    return err(new RipstopError(homeUnusable, cause instanceof Error ? cause.message : String(cause)));
  }
  return ok(path);
}

/** Name of the file in a state directory that holds the supervisor's process id. */
export const supervisorPidFile: string = PID_FILE;

/** Removes the state directories of supervisors that no longer live (killed, or lost with the machine's power); returns how many. */
export function sweepStateDirectories(home: MeshHome): number {
  let removed = 0;
  for (const name of listDirectory(home.runDirectory)) {
    const directory = join(home.runDirectory, name);
    const pid = readPid(join(directory, PID_FILE));
    if (pid === undefined || isAlive(pid)) continue;
    rmSync(directory, { recursive: true, force: true });
    removed++;
  }
  return removed;
}

/** Whether a process with this id exists, its owner aside. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM";
  }
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

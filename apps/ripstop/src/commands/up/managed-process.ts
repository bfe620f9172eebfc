// A child process of `ripstop up`: this same program in another role, in a process group of its own, so that all that it
// started can be ended with it. Its output goes to a log file. It ends by itself when this process is gone.

import { fork, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { realpathSync } from "node:fs";
import type { Clock } from "@ripstop/core";

/** What to start. */
export interface ManagedProcessOptions {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
}

/** A started process. */
export interface ManagedProcess {
  readonly pid: number | undefined;
  /** Kept when it has ended and its group is gone; says how it ended. */
  readonly ended: Promise<string>;
  readonly running: boolean;
  /** Asks it to end; kills the whole group after `graceMs`. Kept when it is gone. */
  stop(graceMs: number, clock: Clock): Promise<void>;
}

/** Starts this program with other arguments. */
export function startManagedProcess(options: ManagedProcessOptions): ManagedProcess {
  const log = openSync(options.logFile, "a", 0o600);
  const child = fork(realpathSync(process.argv[1] ?? ""), [...options.args], {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  let running = true;
  const ended = new Promise<string>((resolve) => {
    const end = (how: string): void => {
      running = false;
      killGroup(child);
      resolve(how);
    };
    child.on("error", (cause) => end(cause.message));
    child.on("exit", (code, signal) => end(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  return {
    pid: child.pid,
    ended,
    get running() {
      return running;
    },
    async stop(graceMs, clock) {
      if (!running) return;
      child.kill("SIGTERM");
      const timer = clock.after(graceMs, () => killGroup(child));
      await ended;
      timer.clear();
    },
  };
}

/** What is left of the group (an application whose supervisor was killed) must not outlive it. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Nothing of the group is left.
  }
}

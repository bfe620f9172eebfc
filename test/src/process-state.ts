// What has become of a process that a test sent a signal to.

import { existsSync, readFileSync } from "node:fs";

/** Whether the process stands still (SIGSTOP). Linux tells; elsewhere the signal is taken for the deed. */
export function isStopped(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return !existsSync(file) || /\) T /.test(readFileSync(file, "utf8"));
}

/** Whether there is no such process any more. */
export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

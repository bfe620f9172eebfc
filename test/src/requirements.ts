// What a test needs beyond Node. A test that cannot run here says why and how to make it run.

import { spawnSync } from "node:child_process";

/** The reason to skip when a program is missing, or false. */
export function needsProgram(name: string, install: string): string | false {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0 ? false : `needs ${name}: ${install}`;
}

/** The reason to skip when not root, or false. */
export function needsRoot(why: string): string | false {
  return process.getuid?.() === 0 ? false : `needs root to ${why}: run the tests as root`;
}

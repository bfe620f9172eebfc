// Ctrl-C ends everything, also when a child was killed before, and leaves nothing behind.
import { existsSync } from "node:fs";
import { ensure, processesWith, until } from "../mesh.js";

/** It takes 5 s at most; a machine may stall meanwhile. */
const LIMIT_MS = 15_000;

export const title = "Ctrl-C leaves nothing behind";

export async function run({ mesh }) {
  if (!existsSync("/proc/self/cmdline")) return `${await endOnly(mesh)} (no /proc here: processes were not counted)`;
  const pids = processesWith(mesh.home);
  // The supervisor of chat: its application is an orphan then, and must not outlive the shop.
  const victim = processesWith("--service\0chat\0").find((pid) => pids.includes(pid));
  ensure(victim !== undefined, "the supervisor of chat was not found");
  process.kill(Number(victim), "SIGKILL");
  const { code, ms } = await mesh.end();
  ensure(code === 0, `the exit code is ${code}`);
  ensure(ms < LIMIT_MS, `it took ${Math.round(ms)} ms`);
  ensure(!existsSync(mesh.home), `${mesh.home} is still there`);
  await until(
    () => `processes are left: ${processesWith(mesh.home).join(", ")}`,
    20,
    () => processesWith(mesh.home).length === 0,
  );
  return `${pids.length} processes ended in ${Math.round(ms)} ms; no process, socket or folder is left`;
}

async function endOnly(mesh) {
  const { code, ms } = await mesh.end();
  ensure(code === 0 && ms < LIMIT_MS && !existsSync(mesh.home), `exit code ${code} after ${Math.round(ms)} ms`);
  return `ended in ${Math.round(ms)} ms, no folder is left`;
}

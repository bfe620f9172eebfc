// Ctrl-C ends everything, also when a child was killed before, and leaves nothing behind.
import { existsSync } from "node:fs";
import { ensure, processesWith, until } from "../mesh.js";

export const title = "Ctrl-C leaves nothing behind";

export async function run({ mesh }) {
  const pids = processesWith(mesh.home);
  const victim = pids?.find((pid) => processesWith("chat.js")?.includes(pid));
  if (victim !== undefined) process.kill(Number(victim), "SIGKILL");
  const { code, ms } = await mesh.end();
  ensure(code === 0, `the exit code is ${code}`);
  ensure(ms < 5000, `it took ${Math.round(ms)} ms`);
  ensure(!existsSync(mesh.home), `${mesh.home} is still there`);
  await until(
    () => `processes are left: ${processesWith(mesh.home)?.join(", ")}`,
    3,
    () => (processesWith(mesh.home) ?? []).length === 0,
  );
  return `${pids === undefined ? "all" : pids.length} processes ended in ${Math.round(ms)} ms; no process, socket or folder is left`;
}

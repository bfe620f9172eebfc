// The gate: everything that must hold at every commit.
import { spawnSync } from "node:child_process";
const run = (command, args) => {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
};
run("npx", ["tsc", "-b"]);

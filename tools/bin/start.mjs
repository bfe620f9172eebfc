// `npm start`: sets up what is missing, then brings up the control plane and the demo shop in a home of its own.
// `npm start -- --check`: the same, but exercises every claim of the demo and takes it down again.
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, setUp } from "./lib/setup.mjs";

const args = process.argv.slice(2);
const unknown = args.filter((arg) => arg !== "--check");
if (unknown.length > 0) {
  process.stderr.write(`npm start takes --check, or nothing; it does not know "${unknown[0]}".\n`);
  process.exit(2);
}
await setUp();

const program = join(root, "apps/ripstop/dist/bundle/ripstop.js");
if (args.includes("--check")) {
  const { check } = await import("../../examples/bookshop/check/check.js");
  process.exit(await check(program));
}

const home = mkdtempSync(join(tmpdir(), "ripstop-"));
const child = fork(program, ["up", "--shop", "--home", home, "--ephemeral", "--end-with-parent"], {
  stdio: ["inherit", "inherit", "inherit", "ipc"],
});
// A terminal's Ctrl-C reaches the child as well; a signal sent to this process alone does not.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.connected && child.disconnect());
child.on("exit", (code, signal) => {
  rmSync(home, { recursive: true, force: true });
  process.exit(code ?? (signal === null ? 1 : 128));
});

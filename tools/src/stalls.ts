// npm run stalls -- COMMAND: runs a command while some of its processes are stopped for a moment, over and over, as a busy
// machine or a hypervisor does. What fails then, and not otherwise, depends on time. Linux only.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { constants } from "node:os";
import { parseArgs } from "node:util";
import { systemClock } from "@ripstop/core";
import { SeededRandom } from "@ripstop/testkit";
import { markedProcesses } from "./process-table.ts";
import { Staller } from "./staller.ts";

const HELP = `Usage: npm run stalls -- [OPTIONS] COMMAND [ARGUMENT ...]

Runs the command and stops processes of it, and of what it starts, for a moment again and again.
Others are never touched, none is killed, and all go on when the command has ended.

  --shortest SECONDS   shortest stall (default 0.3)
  --longest SECONDS    longest stall, at most 30 (default 3)
  --pause SECONDS      longest time between two stalls (default 1)
  --together SHARE     share of the stalls that stop all processes at once, 0 to 1 (default 0.1)
  --only WORD          stops only processes whose command line holds the word
  --seed NUMBER        repeats the choice of times (which processes there are still differs)
  --verbose            a line for every stall
  --help

Exits with the command's own code. Examples:
  npm run stalls -- npm test -- --no-setup --unit packages/net
  npm run stalls -- --longest 8 node --test test/dist/replicas.test.js
`;

/** Long enough that every limit below it shows; a longer stall is an outage, not a busy machine. */
const MOST_SECONDS = 30;
const MOST_SEED = 2 ** 31;

/** The environment variable by which the command's processes are known, whoever their parents are by now. */
const MARK = "RIPSTOP_STALLS";

const FLAGS: ReadonlySet<string> = new Set(["--verbose", "--help"]);

/** The arguments before the command are this program's own. */
function splitArguments(args: readonly string[]): { readonly own: string[]; readonly command: readonly string[] } {
  let at = 0;
  while (args[at]?.startsWith("--") === true && args[at] !== "--")
    at += FLAGS.has(args[at] ?? "") || args[at]?.includes("=") === true ? 1 : 2;
  return { own: args.slice(0, at), command: args.slice(args[at] === "--" ? at + 1 : at) };
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function numberOf(name: string, text: string, most: number): number {
  const value = Number(text);
  if (text === "" || !(value >= 0 && value <= most)) fail(`--${name} takes a number from 0 to ${most}, not "${text}"`);
  return value;
}

const { own, command } = splitArguments(process.argv.slice(2));
const { values } = parseArgs({
  args: own,
  options: {
    shortest: { type: "string", default: "0.3" },
    longest: { type: "string", default: "3" },
    pause: { type: "string", default: "1" },
    together: { type: "string", default: "0.1" },
    only: { type: "string", default: "" },
    seed: { type: "string", default: String(Math.trunc(Math.random() * MOST_SEED)) },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const [program, ...rest] = command;
if (program === undefined) fail(HELP);
if (process.platform !== "linux") fail("stalls need Linux: which processes belong to the command is read from /proc");
const shortestMs = numberOf("shortest", values.shortest, MOST_SECONDS) * 1000;
const longestMs = numberOf("longest", values.longest, MOST_SECONDS) * 1000;
if (longestMs < shortestMs) fail("--longest is shorter than --shortest");
const seed = numberOf("seed", values.seed, MOST_SEED);

const id = randomUUID();
const staller = new Staller({
  clock: systemClock,
  random: new SeededRandom(seed),
  shortestMs,
  longestMs,
  pauseMs: numberOf("pause", values.pause, MOST_SECONDS) * 1000,
  together: numberOf("together", values.together, 1),
  processes: () => markedProcesses(`${MARK}=${id}`).filter((one) => one.command.includes(values.only)),
  signal: (pid, signal) => {
    try {
      return process.kill(pid, signal);
    } catch {
      return false;
    }
  },
  onStall: (stalled, stallMs) => {
    if (!values.verbose) return;
    const who = stalled.map((one) => `${one.pid} ${one.command}`).join("\n          ");
    process.stderr.write(`stall ${(stallMs / 1000).toFixed(1)} s: ${who}\n`);
  },
});

const child = spawn(program, rest, { stdio: "inherit", env: { ...process.env, [MARK]: id } });
staller.start();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    staller.end();
    child.kill(signal);
  });
}
process.on("exit", () => staller.end());
child.on("error", (error) => fail(`cannot run ${program}: ${error.message}`));
child.on("exit", (code, signal) => {
  process.stderr.write(`${staller.stalls} stalls, seed ${seed}\n`);
  process.exit(code ?? 128 + constants.signals[signal ?? "SIGKILL"]);
});

// `ripstop proxy --workers N` without a supervisor of its own: a small process that holds the listening sockets, keeps N
// proxy processes alive, and replaces them on SIGHUP or SIGUSR2 without a failed request.

import { join } from "node:path";
import { ProxySupervisor, supervisorPidFile } from "@ripstop/agent-engine/proxy";
import { writeFileAtomically } from "@ripstop/agent-engine/atomic-file";
import { holdProcess, systemClock } from "@ripstop/core";
import { proxyCommand } from "../proxy-command.ts";
import { workerCount, workerCountHint } from "../worker-count.ts";

const HAND_OVER_DEADLINE_MS = 30_000;
const EXIT_FAILED = 1;

/** Runs until SIGTERM or SIGINT, or until the proxy does not start at all. */
export function proxyPrimary(argv: readonly string[]): void {
  const directory = argv[argv.indexOf("--state-dir") + 1] ?? "";
  const workers = argv.includes("--workers") ? workerCount(argv[argv.indexOf("--workers") + 1] ?? "") : undefined;
  if (!argv.includes("--state-dir") || workers === undefined) {
    process.stderr.write(`ripstop: give --state-dir, and --workers with ${workerCountHint}\n`);
    process.exitCode = 2;
    return;
  }
  const say = (line: string): void => void process.stderr.write(`ripstop: ${line}\n`);
  const hold = holdProcess();
  const end = async (code: number): Promise<void> => {
    await supervisor.stop();
    process.exitCode = code;
    hold.clear();
  };
  const events = {
    onListening: () => undefined,
    onReady: () => undefined,
    onIdentity: () => undefined,
    onDied: (description: string, restartInMs: number) =>
      say(`the proxy ended: ${description}; it starts again in ${restartInMs} ms`),
    onFailed: (description: string) => {
      say(`the proxy does not start: ${description}`);
      void end(EXIT_FAILED);
    },
  };
  const supervisor = new ProxySupervisor(proxyCommand(), directory, { clock: systemClock, events }, { workers });
  const replace = async (): Promise<void> => {
    const done = await supervisor.handOver(HAND_OVER_DEADLINE_MS);
    say(done.ok ? "the proxy was replaced by a new process" : `the proxy was not replaced: ${done.reason}`);
  };
  for (const signal of ["SIGHUP", "SIGUSR2"] as const) process.on(signal, () => void replace());
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void end(0));
  writeFileAtomically(join(directory, supervisorPidFile), `${process.pid}\n`);
  supervisor.start();
}

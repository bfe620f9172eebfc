// Runs the agent of this host until a signal.

import { hostname } from "node:os";
import { join } from "node:path";
import { meshHome } from "@ripstop/agent-engine";
import { AGENT_DIRECTORY, readNodeState, startHostAgent, workloadSocket } from "@ripstop/agent-engine/agent";
import { holdProcess, RipstopError, systemClock } from "@ripstop/core";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import { exitCodes } from "../../exit-codes.ts";
import { joinApi, type JoinOption } from "../../join-options.ts";
import type { HomeOption } from "../../options.ts";
import { printError, printFailure } from "../../output/failure.ts";

/** Options of `ripstop agent`. */
export interface AgentOptions extends HomeOption, JoinOption {
  readonly name?: string;
  readonly socket?: string;
}

/** Runs to the end; the exit code. */
export async function agent(options: AgentOptions): Promise<number> {
  const hold = holdProcess();
  const ended = new Promise<"ended">((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve("ended"));
  });
  try {
    return await serve(options, ended);
  } finally {
    hold.clear();
  }
}

async function serve(options: AgentOptions, ended: Promise<"ended">): Promise<number> {
  const home = meshHome(options.home, process.env);
  const directory = join(home.path, AGENT_DIRECTORY);
  const name = (options.name ?? hostname()).toLowerCase();
  const kept = readNodeState(directory);
  if (!kept.ok) return failed(kept.error);
  const isKnown = kept.value?.name === name;
  // What was trusted last comes before what a token or a file says: a root may have been exchanged since.
  const joining = joinApi(options, isKnown ? kept.value.bundlePem : undefined);
  if (!joining.ok) return failed(joining.error);
  const { api, evidence } = joining.value;
  const report = (line: string): void => void process.stderr.write(`ripstop: ${line}\n`);
  const socket = options.socket ?? workloadSocket(home.path);
  const starting = startHostAgent({
    directory,
    name,
    socket,
    api,
    evidence,
    createKeyAndCsr,
    clock: systemClock,
    report,
  });
  const started = await Promise.race([starting, ended]);
  if (started === "ended") return exitCodes.done;
  if (!started.ok) return started.error instanceof RipstopError ? failed(started.error) : printFailure(started.error);
  const { node, workloadApi } = started.value;
  process.stdout.write(`agent of ${node.spiffeId}\nSPIFFE_ENDPOINT_SOCKET=${workloadApi}\n`);
  await ended;
  await started.value.close();
  return exitCodes.done;
}

function failed(error: RipstopError): number {
  printError(error.kind, error.message);
  return exitCodes.failed;
}

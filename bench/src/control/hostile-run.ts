// Hostile clients beside steady endpoint changes: what becomes of them, and what the others feel.

import { fork } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pause } from "../processes.ts";
import type { EndpointChanges, ChangeTimes } from "./endpoint-changes.ts";
import type { HostileOutcome, HostileStart } from "./programs/hostile-clients.ts";

const program = join(dirname(fileURLToPath(import.meta.url)), "programs/hostile-clients.js");

/** What it showed. */
export interface HostileRun {
  readonly outcome: HostileOutcome;
  /** The endpoint changes of the others meanwhile. */
  readonly others: ChangeTimes;
}

/** Lets them loose, makes `count` changes at `perSecond`, and ends them. */
export async function runHostile(
  start: HostileStart,
  changes: EndpointChanges,
  { count, perSecond }: { readonly count: number; readonly perSecond: number },
): Promise<HostileRun> {
  const child = fork(program, { serialization: "advanced" });
  try {
    child.send(start);
    await pause(1_000);
    const others = await changes.run(changes.services, count, perSecond);
    const outcome = new Promise<HostileOutcome>((resolve) => child.once("message", resolve));
    child.send("outcome");
    return { outcome: await outcome, others };
  } finally {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await gone;
  }
}

// Rotations of the root as an operator does them, with what the ring noticed meanwhile.

import type { Mesh } from "../mesh.ts";
import type { Ring, RingCounts, WorkloadRow } from "./ring.ts";

/** The status that the API gives. */
export interface Rotation {
  readonly phase: string;
  readonly total: number;
  readonly passed: number;
  readonly holding: readonly { readonly workloadId: string; readonly reason: string; readonly sinceMs: number }[];
  readonly last?: {
    readonly outcome: string;
    readonly startedMs: number;
    readonly finishedMs: number;
    readonly forced: readonly string[];
  };
}

/** How far a rotation is. */
export async function rotationStatus(mesh: Mesh): Promise<Rotation> {
  return JSON.parse((await mesh.api("GET", "/v1/identity/rotation")).body) as Rotation;
}

/** Runs `work` and tells what the ring noticed in that time. */
export async function noticed(ring: Ring, work: () => Promise<void>): Promise<RingCounts> {
  const connections = await ring.meshConnections();
  const before = await ring.counts();
  await work();
  const after = await ring.counts();
  const still = await ring.meshConnections();
  const lost = [...connections].filter((one) => !still.has(one)).length;
  return {
    sent: after.sent - before.sent,
    answered: after.answered - before.answered,
    failed: after.failed - before.failed,
    closed: after.closed - before.closed + lost,
    pings: after.pings - before.pings,
    causes: after.causes,
  };
}

/** `ripstop identity rotate-root --wait`; throws unless it ends well. */
export async function rotate(mesh: Mesh): Promise<Rotation> {
  const { code, output } = await mesh.command(["identity", "rotate-root", "--wait", "-o", "json"]);
  if (code !== 0) throw new Error(output);
  return JSON.parse(output) as Rotation;
}

/** Rotates while the proxy of `frozen` stands still for `seconds`; the gate's words about it, and the end. */
export async function rotateWithFrozen(
  mesh: Mesh,
  frozen: WorkloadRow,
  seconds: number,
): Promise<{ readonly held: readonly Rotation[]; readonly done: Rotation }> {
  const held: Rotation[] = [];
  process.kill(frozen.proxyPid, "SIGSTOP");
  try {
    const started = await mesh.api("POST", "/v1/identity/rotation", {});
    if (started.status !== 200) throw new Error(started.body);
    await mesh.until("only the frozen one holds the rotation up", async () => {
      const { holding } = await rotationStatus(mesh);
      return holding.length === 1 && holding[0]?.workloadId === frozen.id ? true : undefined;
    });
    for (let second = 0; second < seconds; second++) {
      held.push(await rotationStatus(mesh));
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  } finally {
    process.kill(frozen.proxyPid, "SIGCONT");
  }
  const done = await mesh.until("the rotation is done", async () => {
    const status = await rotationStatus(mesh);
    return status.phase === "idle" ? status : undefined;
  });
  return { held, done };
}

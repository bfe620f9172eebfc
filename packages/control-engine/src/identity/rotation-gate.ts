// Who holds a rotation of the root up: a pure look at what everyone has acknowledged and uses.

import type { RegisteredWorkload, IdentityInForce } from "../registry/registered-workload.ts";
import type { AbsentWorkload } from "./absent-workloads.ts";

/** What the gate looks at. */
export interface GateFacts {
  readonly phase: "distribute" | "move" | "withdraw";
  readonly bundleSequence: number;
  /** SHA-256 of the new root, hex. */
  readonly newRootSha256: string;
  readonly workloads: readonly RegisteredWorkload[];
  readonly absent: readonly AbsentWorkload[];
  /** Of the control plane's own SVID. */
  readonly own: { readonly spiffeId: string; readonly rootSha256: string };
  inForce(id: string): IdentityInForce | undefined;
  /** Whether the proxy has acknowledged the newest bundle: undefined while it is away, a text when it refused it. */
  acknowledged(id: string): boolean | string | undefined;
}

/** One that does not let the rotation on. */
export interface Holding {
  readonly workloadId: string;
  readonly spiffeId: string;
  readonly reason: string;
}

/** How many the gate looked at, and those that hold it. */
export interface GateVerdict {
  readonly total: number;
  readonly holding: readonly Holding[];
}

/** The name under which the control plane itself is listed. */
export const CONTROL_PLANE = "control plane";

/** Looks at everyone. */
export function checkGate(facts: GateFacts): GateVerdict {
  const holding: Holding[] = [];
  const hold = (workloadId: string, spiffeId: string, reason: string | undefined): void => {
    if (reason !== undefined) holding.push({ workloadId, spiffeId, reason });
  };
  const { phase, own, newRootSha256 } = facts;
  for (const workload of facts.workloads) {
    hold(workload.id, workload.spiffeId, phase === "move" ? notMoved(workload, facts) : notTold(workload, facts));
  }
  // To withdraw a root is safe for those who still trust it: the absent hold up only what could cut them off.
  const absent =
    phase === "withdraw" ? [] : facts.absent.filter((one) => phase !== "move" || one.rootSha256 !== newRootSha256);
  for (const one of absent) {
    const until = new Date(one.svidNotAfterMs).toISOString();
    hold(one.id, one.spiffeId, `it fell silent, and its SVID is valid until ${until}`);
  }
  const ownHolds = phase === "move" && own.rootSha256 !== newRootSha256;
  if (ownHolds) hold(CONTROL_PLANE, own.spiffeId, "its own SVID is still of the old root");
  return { total: facts.workloads.length + absent.length + (phase === "move" ? 1 : 0), holding };
}

/** Why a workload does not know the newest bundle. */
function notTold({ id }: RegisteredWorkload, facts: GateFacts): string | undefined {
  const inForce = facts.inForce(id);
  if (inForce === undefined) return "its supervisor was not heard of since the control plane started";
  if (inForce.bundleSequence === undefined) return "its supervisor does not say which trust bundle it has";
  const acknowledged = facts.acknowledged(id);
  if (acknowledged === undefined) return "its proxy is not connected";
  if (typeof acknowledged === "string") return `its proxy refused the new trust bundle: ${acknowledged}`;
  if (!acknowledged) return "its proxy has not acknowledged the new trust bundle";
  if (inForce.bundleSequence !== facts.bundleSequence) return "its supervisor has not taken over the new trust bundle";
  return undefined;
}

/** Why a workload still shows a certificate of the old root. */
function notMoved(workload: RegisteredWorkload, facts: GateFacts): string | undefined {
  if (workload.rootSha256 !== facts.newRootSha256) return "its SVID is still of the old root";
  const inForce = facts.inForce(workload.id);
  if (inForce === undefined) return "its supervisor was not heard of since the control plane started";
  if (inForce.svidSerialNumber === undefined) return "its supervisor does not say which SVID its proxy uses";
  if (inForce.svidSerialNumber === "") return "its proxy does not run";
  if (inForce.svidSerialNumber !== workload.svidSerialNumber) return "its proxy does not use its new SVID yet";
  return undefined;
}

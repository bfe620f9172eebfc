// Drives a rotation of the root: looks who holds the present phase up, and takes the next step when nobody does. What it
// knows is in the authority's state and in what workloads report, so that a restart goes on where it was.

import { err, ok, type Clock, type Result, type Timer } from "@ripstop/core";
import type { IssueRefusal, OpenAuthority } from "@ripstop/identity/authority";
import type { RotationHolder, RotationStatus } from "@ripstop/model";

import { identityUnavailable, rotationRefused } from "../errors.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Failure } from "../failure.ts";
import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import type { Registry } from "../registry/registry.ts";
import type { AbsentWorkloads } from "./absent-workloads.ts";
import { checkGate, CONTROL_PLANE, type GateVerdict } from "./rotation-gate.ts";

/** What the keeper needs. */
export interface RotationKeeperOptions {
  readonly authority: OpenAuthority;
  readonly registry: Registry;
  readonly absent: AbsentWorkloads;
  readonly events: EventLog;
  readonly clock: Clock;
  readonly controlIdentity: string;
  /** Root of the control plane's own SVID (SHA-256, hex). */
  ownRootSha256(): string;
  /** Called with the name of what comes next: for tests of crashes. */
  readonly checkpoint?: (step: string) => void;
  /** Whether a proxy has acknowledged the newest trust bundle: undefined while it is away, a text when it refused it. */
  acknowledged(proxyId: string): boolean | string | undefined;
  /** Of several control planes one takes the steps. Default: this one. */
  leads?(): boolean;
  /** Other control planes, and the roots of their own SVIDs (SHA-256, hex). Default: none. */
  peers?(): readonly { readonly id: string; readonly rootSha256: string }[];
}

const CHECK_MS = 250;
/** Longer than a heartbeat and an acknowledgement take. */
const HELD_UP_MS = 30_000;
/** Renewals that are asked for within one period, so that a large mesh does not move in one moment. */
const RENEWALS_PER_CHECK = 50;
const MAX_NAMED = 10;

/** One rotation at a time. */
export class RotationKeeper {
  readonly #options: RotationKeeperOptions;
  readonly #timer: Timer;
  /** Since when each holds the present phase up. */
  readonly #since = new Map<string, number>();
  #phase = "idle";
  #checking = false;
  #saidHeldUp = false;
  #renewals = RENEWALS_PER_CHECK;

  constructor(options: RotationKeeperOptions) {
    this.#options = options;
    this.#timer = options.clock.every(CHECK_MS, () => {
      this.#renewals = RENEWALS_PER_CHECK;
      void this.check();
    });
  }

  /** Starts a rotation. */
  async start(): Promise<Result<undefined, Failure>> {
    const { authority, events } = this.#options;
    const started = await authority.startRotation();
    if (!started.ok) return err(failureOf(started.error));
    events.add({
      severity: "info",
      type: "RootRotationStarted",
      subject: authority.trustDomain,
      message: "A new root is trusted beside the old one; it signs when everyone knows it.",
    });
    await this.check();
    return ok(undefined);
  }

  /** Passes the gate of the present phase, whoever is cut off by that. */
  async force(): Promise<Result<undefined, Failure>> {
    const { authority, events } = this.#options;
    const { rotation } = authority;
    if (rotation === undefined) return err({ kind: rotationRefused, message: "no rotation is under way" });
    const cutOff = this.#look().holding.map(({ workloadId }) => workloadId);
    const stepped = await this.#step(cutOff);
    if (!stepped.ok) return err(failureOf(stepped.error));
    events.add({
      severity: "critical",
      type: "RootRotationForced",
      subject: authority.trustDomain,
      message: `The phase ${rotation.phase} was ended by force; cut off until they come back: ${named(cutOff)}.`,
    });
    await this.check();
    return ok(undefined);
  }

  /** Takes the new root back, if it does not sign yet. */
  async abort(): Promise<Result<undefined, Failure>> {
    const { authority, events } = this.#options;
    const aborted = await authority.abortRotation();
    if (!aborted.ok) return err(failureOf(aborted.error));
    events.add({
      severity: "info",
      type: "RootRotationGivenUp",
      subject: authority.trustDomain,
      message: "The new root is not trusted any more; the old one goes on.",
    });
    return ok(undefined);
  }

  /** How far it is. */
  status(): RotationStatus {
    const { authority } = this.#options;
    const { rotation, lastRotation } = authority;
    const verdict = this.#look();
    return {
      phase: rotation?.phase ?? "idle",
      bundleSequence: authority.bundle().sequence,
      signingRootSha256: authority.signingRootSha256,
      newRootSha256: rotation?.to ?? "",
      startedMs: rotation?.startedMs ?? 0,
      phaseSinceMs: rotation?.phaseSinceMs ?? 0,
      total: verdict.total,
      passed: verdict.total - verdict.holding.length,
      holding: this.#holders(verdict),
      ...(lastRotation === undefined ? {} : { last: lastRotation }),
    };
  }

  /** Whether a workload may renew now because its SVID is of another root than the one that signs. */
  mayRenewNow({ rootSha256 }: RegisteredWorkload): boolean {
    const { authority } = this.#options;
    if (rootSha256 === authority.signingRootSha256 || authority.degraded !== undefined) return false;
    if (this.#renewals <= 0) return false;
    this.#renewals--;
    this.#options.checkpoint?.("renewal-asked");
    return true;
  }

  /** Takes as many steps as nobody holds up. */
  async check(): Promise<void> {
    if (this.#checking || this.#options.leads?.() === false) return;
    this.#checking = true;
    try {
      while (this.#options.authority.rotation !== undefined) {
        const verdict = this.#look();
        if (verdict.holding.length > 0) {
          this.#sayHeldUp(this.#holders(verdict));
          return;
        }
        this.#options.checkpoint?.(`gate-${this.#phase}`);
        // oxlint-disable-next-line no-await-in-loop -- one step after the other
        const stepped = await this.#step([]);
        if (!stepped.ok) {
          this.#sayFailed(stepped.error);
          return;
        }
      }
      this.#enter("idle");
    } finally {
      this.#checking = false;
    }
  }

  /** No further step is taken. */
  close(): void {
    this.#timer.clear();
  }

  #look(): GateVerdict {
    const { authority, registry, absent, controlIdentity } = this.#options;
    const { rotation } = authority;
    if (rotation === undefined) return { total: 0, holding: [] };
    this.#enter(rotation.phase);
    const verdict = checkGate({
      phase: rotation.phase,
      bundleSequence: authority.bundle().sequence,
      newRootSha256: rotation.to,
      workloads: registry.list(),
      absent: absent.list(),
      own: { spiffeId: controlIdentity, rootSha256: this.#options.ownRootSha256() },
      inForce: (id) => registry.inForce(id),
      acknowledged: (id) => this.#options.acknowledged(id),
    });
    const peers = rotation.phase === "move" ? (this.#options.peers?.() ?? []) : [];
    const behind = peers.filter(({ rootSha256 }) => rootSha256 !== rotation.to);
    const holding = behind.map(({ id }) => ({
      workloadId: `${CONTROL_PLANE} ${id}`,
      spiffeId: controlIdentity,
      reason: "its own SVID is still of the old root",
    }));
    return { total: verdict.total + peers.length, holding: [...verdict.holding, ...holding] };
  }

  #enter(phase: string): void {
    if (this.#phase === phase) return;
    this.#phase = phase;
    this.#since.clear();
    this.#saidHeldUp = false;
  }

  #holders(verdict: GateVerdict): readonly RotationHolder[] {
    const nowMs = this.#options.clock.nowMs();
    const ids = new Set(verdict.holding.map(({ workloadId }) => workloadId));
    for (const id of [...this.#since.keys()]) if (!ids.has(id)) this.#since.delete(id);
    return verdict.holding
      .map((one) => {
        const sinceMs = this.#since.get(one.workloadId) ?? nowMs;
        this.#since.set(one.workloadId, sinceMs);
        return { ...one, sinceMs };
      })
      .toSorted((a, b) => a.sinceMs - b.sinceMs);
  }

  async #step(forced: readonly string[]): Promise<Result<undefined, IssueRefusal>> {
    const { authority, events } = this.#options;
    const phase = authority.rotation?.phase;
    const tell = (type: string, message: string): void =>
      events.add({ severity: "info", type, subject: authority.trustDomain, message });
    switch (phase) {
      case "distribute": {
        const stepped = await authority.switchSigner(forced);
        if (stepped.ok) tell("RootRotationSigning", "The new root signs; every SVID is renewed.");
        return stepped;
      }
      case "move": {
        const stepped = await authority.withdrawOldRoot(forced);
        if (stepped.ok) tell("RootRotationWithdrawn", "The old root is trusted no more and its key is destroyed.");
        return stepped;
      }
      case "withdraw": {
        const stepped = await authority.finishRotation(forced);
        if (stepped.ok) tell("RootRotationDone", "Everyone has only the new root.");
        return stepped;
      }
      case undefined:
        return ok(undefined);
      default:
        return phase satisfies never;
    }
  }

  #sayHeldUp(holding: readonly RotationHolder[]): void {
    const { authority, events, clock } = this.#options;
    const [first] = holding;
    if (this.#saidHeldUp || first === undefined || clock.nowMs() - first.sinceMs < HELD_UP_MS) return;
    this.#saidHeldUp = true;
    const who = holding.map(({ workloadId, reason }) => `${workloadId} (${reason})`);
    events.add({
      severity: "warning",
      type: "RootRotationHeldUp",
      subject: authority.trustDomain,
      message: `The rotation of the root waits in the phase ${this.#phase} for ${named(who)}.`,
    });
  }

  #sayFailed({ code, message }: IssueRefusal): void {
    if (this.#saidHeldUp) return;
    this.#saidHeldUp = true;
    const { authority, events } = this.#options;
    events.add({
      severity: "critical",
      type: "RootRotationFailing",
      subject: authority.trustDomain,
      message: `The next step of the rotation fails and is tried again: ${code} ${message}`,
    });
  }
}

/** A refusal of the authority as an answer of the API. */
export function failureOf({ code, message }: IssueRefusal): Failure {
  const isOurs = code === "RS2010" || code === "RS2011";
  return { kind: isOurs ? identityUnavailable : rotationRefused, message: `${code}: ${message}` };
}

function named(ids: readonly string[]): string {
  if (ids.length === 0) return "nobody";
  const more = ids.length > MAX_NAMED ? ` and ${ids.length - MAX_NAMED} more` : "";
  return ids.slice(0, MAX_NAMED).join(", ") + more;
}

// The state of the authority and of everything that it issued, and what of it an operator should act upon.

import type { Clock } from "@ripstop/core";
import type { OpenAuthority } from "@ripstop/identity/authority";
import type { IdentityAlarm, IdentityHealth, RotationStatus } from "@ripstop/model";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";

/** What there is to look at. */
export interface HealthFacts {
  readonly authority: OpenAuthority;
  readonly clock: Clock;
  readonly workloads: readonly RegisteredWorkload[];
  readonly rotation: RotationStatus;
}

const DAY = 24 * 3_600_000;
const ROOT_STEPS_DAYS = [60, 14, 3] as const;
/** A CA certificate of a short life warns at these parts of it instead. */
const ROOT_STEPS_PARTS = [1 / 2, 1 / 4, 1 / 10] as const;
/** Renewal is due at half of a life, and again at half of what is left: with a quarter left, two were missed. */
const MISSED_PART = 1 / 4;
const HELD_UP_MS = 60_000;
/** Workloads that are named one by one. */
const MAX_NAMED = 100;

/** Looks at all of it. */
export function identityHealth({ authority, clock, workloads, rotation }: HealthFacts): IdentityHealth {
  const nowMs = clock.nowMs();
  const alarms: IdentityAlarm[] = [];
  const degraded = authority.degraded !== undefined;
  const signing = authority.roots.find(({ use }) => use === "signing");
  if (signing !== undefined && nowMs >= signing.notAfterMs) {
    alarms.push({
      severity: "critical",
      type: "RootExpired",
      subject: authority.trustDomain,
      message: `The root expired on ${dateOf(signing.notAfterMs)} and nothing can be issued: run \`ripstop identity recover\`.`,
    });
  } else if (degraded) {
    alarms.push({
      severity: "critical",
      type: "ClockWrong",
      subject: authority.trustDomain,
      message: `Nothing can be issued, because ${authority.degraded ?? ""}: correct the clock of the control plane.`,
    });
  }
  for (const root of authority.roots) {
    if (root.use === "retiring" || nowMs >= root.notAfterMs) continue;
    const remedy =
      root.origin === "own"
        ? "exchange it with `ripstop identity rotate-root`"
        : "put one with a longer life into the files of the external authority";
    alarms.push(
      ...expiring("RootExpiring", `The root ${root.sha256.slice(0, 8)}`, { ...root, nowMs, remedy }, authority),
    );
  }
  for (const one of authority.intermediates) {
    // An own intermediate is replaced at half of its life: what is told here is that this fails, or that it cannot outlive its root.
    const bound = one.origin === "own" && signing !== undefined && one.notAfterMs >= signing.notAfterMs;
    if (bound) continue;
    const remedy =
      one.origin === "own" ? "see the log of the control plane" : "replace the files of the external authority";
    const what = `The intermediate ${one.sha256.slice(0, 8)}`;
    alarms.push(...expiring("IntermediateExpiring", what, { ...one, nowMs, remedy }, authority));
  }
  const expired = workloads.filter(({ svidNotAfterMs }) => svidNotAfterMs <= nowMs);
  const missed = workloads.filter((one) => hasMissedRenewals(one, nowMs));
  for (const { id, svidNotAfterMs } of expired.slice(0, MAX_NAMED)) {
    const message = `The SVID of ${id} expired on ${dateOf(svidNotAfterMs)}; look at the log of its supervisor.`;
    alarms.push({ severity: "critical", type: "SvidExpired", subject: id, message });
  }
  for (const { id, svidNotAfterMs } of missed.slice(0, MAX_NAMED)) {
    const message = `${id} missed two renewals; its SVID ends on ${dateOf(svidNotAfterMs)}; look at the log of its supervisor.`;
    alarms.push({ severity: "warning", type: "SvidNotRenewed", subject: id, message });
  }
  const [first] = rotation.holding;
  if (first !== undefined && nowMs - first.sinceMs >= HELD_UP_MS) {
    const message = `The rotation of the root waits for ${rotation.holding.length} of ${rotation.total}: ${first.workloadId}, ${first.reason}.`;
    alarms.push({ severity: "warning", type: "RootRotationHeldUp", subject: authority.trustDomain, message });
  }
  return {
    trustDomain: authority.trustDomain,
    nowMs,
    state: degraded ? "degraded" : "healthy",
    bundleSequence: authority.bundle().sequence,
    roots: authority.roots,
    intermediates: authority.intermediates,
    workloads: { total: workloads.length, expired: expired.length, missedRenewals: missed.length },
    alarms: alarms.toSorted((a, b) => Number(b.severity === "critical") - Number(a.severity === "critical")),
  };
}

/** How many of the steps of 60, 14 and 3 days before its end a certificate has reached: 0 to 3. */
export function expiryStep(notBeforeMs: number, notAfterMs: number, nowMs: number): number {
  const lifeMs = notAfterMs - notBeforeMs;
  let step = 0;
  for (const [index, days] of ROOT_STEPS_DAYS.entries()) {
    const part = ROOT_STEPS_PARTS[index] ?? 0;
    if (notAfterMs - nowMs <= Math.min(days * DAY, lifeMs * part)) step = index + 1;
  }
  return step;
}

function expiring(
  type: string,
  what: string,
  facts: { notBeforeMs: number; notAfterMs: number; nowMs: number; remedy: string },
  authority: OpenAuthority,
): readonly IdentityAlarm[] {
  const step = expiryStep(facts.notBeforeMs, facts.notAfterMs, facts.nowMs);
  if (step === 0) return [];
  const leftMs = facts.notAfterMs - facts.nowMs;
  const left =
    leftMs >= 2 * DAY ? `${Math.floor(leftMs / DAY)} days` : `${Math.max(0, Math.round(leftMs / 60_000))} min`;
  const message = `${what} expires in ${left}, on ${dateOf(facts.notAfterMs)}: ${facts.remedy}.`;
  return [{ severity: step === 3 ? "critical" : "warning", type, subject: authority.trustDomain, message }];
}

function hasMissedRenewals({ svidNotAfterMs, svidIssuedMs }: RegisteredWorkload, nowMs: number): boolean {
  if (svidIssuedMs === undefined || svidNotAfterMs <= nowMs) return false;
  return svidNotAfterMs - nowMs <= (svidNotAfterMs - svidIssuedMs) * MISSED_PART;
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}

// The identity section: authorities, workload certificates, clocks, and the alarms of the control plane.

import type { CertificateView, IdentityAlarm, IdentityList } from "@ripstop/model";
import { dateText, spanText } from "../identity/time-text.ts";
import { fine, problem, warning, type Finding, type Section } from "./finding.ts";

const DAY_MS = 86_400_000;
/** An operator hears of a root's end so long before. */
const NOTICE_MS = 60 * DAY_MS;
const SOON_MS = 14 * DAY_MS;
const URGENT_MS = 3 * DAY_MS;
/** What certificates tolerate between two clocks. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;
const MAX_NAMED = 10;

const ROTATE = "replace it with `ripstop identity rotate-root --wait`; no connection is closed";

/** `alarms` are the control plane's own; empty when it has none or is of an older version. */
export function identitySection(list: IdentityList, alarms: readonly IdentityAlarm[], localNowMs: number): Section {
  return {
    name: "identity",
    findings: [
      ...list.authorities.map((one) => authorityFinding(one, list.timeMs)),
      ...leafFindings(list),
      clockFinding(list.timeMs, localNowMs),
      ...alarms.map(({ severity, subject, message }) => {
        const text = `${subject}: ${message}`;
        return severity === "critical" ? problem(text, "") : warning(text, "");
      }),
    ],
  };
}

/** Warnings at 60 and 14 days before the end of a root, a problem from 3 days on. */
export function authorityFinding(certificate: CertificateView, nowMs: number): Finding {
  const { kind, notAfterMs, notBeforeMs, subject } = certificate;
  const name = `${kind} "${subject}"`;
  const leftMs = notAfterMs - nowMs;
  if (nowMs < notBeforeMs) return problem(`${name} is valid only from ${dateText(notBeforeMs)}`, "check the clock");
  if (leftMs <= 0) {
    const remedy =
      kind === "root"
        ? "make a new one with `ripstop identity recover`"
        : "restart the control plane: it makes a new one";
    return problem(`${name} expired on ${dateText(notAfterMs)}`, remedy);
  }
  const text = `${name} ends in ${spanText(leftMs)}, on ${dateText(notAfterMs)}`;
  if (kind === "intermediate") {
    // It is replaced at half of its life.
    const lateMs = (notAfterMs - notBeforeMs) * 0.4;
    return leftMs > lateMs ? fine(text) : warning(`${text}, and was not replaced`, "look into the control plane's log");
  }
  if (leftMs <= URGENT_MS) return problem(text, ROTATE);
  if (leftMs <= SOON_MS) return warning(`${text}: soon`, ROTATE);
  return leftMs <= NOTICE_MS ? warning(text, ROTATE) : fine(text);
}

function leafFindings({ identities, timeMs }: IdentityList): readonly Finding[] {
  const used = identities.filter(({ workloads }) => workloads.length > 0);
  const revoked = used.filter(({ revocation }) => revocation !== undefined);
  const expired = used.filter(({ revocation, notAfterMs }) => revocation === undefined && notAfterMs <= timeMs);
  const overdue = used.filter(
    ({ revocation, overdue: late, notAfterMs }) => revocation === undefined && notAfterMs > timeMs && late !== "",
  );
  const good = used.length - revoked.length - expired.length - overdue.length;
  const findings: Finding[] = [
    fine(`${good} of ${used.length} identities in use have a certificate that is renewed in time`),
  ];
  for (const { spiffeId, revocation } of revoked.slice(0, MAX_NAMED)) {
    const reason = revocation?.reason === "" ? "" : `: ${revocation?.reason ?? ""}`;
    findings.push(warning(`${spiffeId} is revoked and still has workloads${reason}`, "stop them, or take it back"));
  }
  for (const { spiffeId } of expired.slice(0, MAX_NAMED)) {
    findings.push(problem(`${spiffeId} has workloads and no valid certificate`, "look into the log of `ripstop run`"));
  }
  for (const { spiffeId, overdue: workload } of overdue.slice(0, MAX_NAMED)) {
    findings.push(
      problem(`${workload} (${spiffeId}) missed two renewals of its certificate`, "look into the log of `ripstop run`"),
    );
  }
  const unnamed = [revoked, expired, overdue].reduce((sum, { length }) => sum + Math.max(length - MAX_NAMED, 0), 0);
  if (unnamed > 0) findings.push(problem(`and ${unnamed} more`, "see `ripstop identity list`"));
  return findings;
}

function clockFinding(controlMs: number, localMs: number): Finding {
  const apartMs = Math.abs(controlMs - localMs);
  if (apartMs <= CLOCK_TOLERANCE_MS / 2) return fine("the clocks of this host and the control plane agree");
  const text = `the clocks of this host and the control plane are ${spanText(apartMs)} apart`;
  return apartMs > CLOCK_TOLERANCE_MS
    ? problem(`${text}: certificates are refused`, "set the clocks, for example with NTP")
    : warning(text, "set the clocks, for example with NTP");
}

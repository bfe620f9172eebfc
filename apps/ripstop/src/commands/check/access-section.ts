// The section of access to the API: who is about to lose it, and who is refused.

import type { AccessTokenView, AuditPage } from "@ripstop/model";
import { fine, warning, type Finding, type Section } from "./finding.ts";

const SOON_MS = 7 * 24 * 3_600_000;
const RECENT_MS = 3_600_000;
const MANY = 20;

/** Looks at API tokens, and at the newest refusals. */
export function accessSection(
  tokens: readonly AccessTokenView[],
  refusals: AuditPage["entries"],
  nowMs: number,
): Section {
  const ready = tokens.filter(({ state }) => state === "ready");
  const findings: Finding[] = [fine(`${ready.length} API tokens can be used`)];
  for (const { id, name, expiresMs } of ready) {
    if (expiresMs - nowMs > SOON_MS) continue;
    const message = `token ${name} (${id}) ends at ${new Date(expiresMs).toISOString()}`;
    findings.push(warning(message, "make a new one with `ripstop access token create`"));
  }
  const recent = refusals.filter(({ timeMs }) => nowMs - timeMs < RECENT_MS);
  if (recent.length >= MANY) {
    const addresses = [...new Set(recent.map(({ from }) => from || "the socket"))].slice(0, 5).join(", ");
    findings.push(
      warning(
        `${recent.length} or more calls of the API were refused within an hour, from ${addresses}`,
        "ripstop audit --refused",
      ),
    );
  }
  return { name: "API access", findings };
}

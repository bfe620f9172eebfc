// Prints one identity in full.

import type { CertificateView, IdentityDetails } from "@ripstop/model";
import { controlApi } from "../../../api.ts";
import { exitCodes } from "../../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../../options.ts";
import { printFailure } from "../../../output/failure.ts";
import { formatOutput } from "../../../output/format.ts";
import { printable } from "../../../output/table.ts";
import { spiffeIdOf } from "../identity-argument.ts";
import { dateText } from "../time-text.ts";

/** Prints; the exit code. */
export async function showIdentity(name: string, options: HomeOption & OutputOption): Promise<number> {
  const api = controlApi(options);
  const id = await spiffeIdOf(name, api);
  if (!id.ok) return printFailure(id.error);
  const path = `/v1/identity/identity?id=${encodeURIComponent(id.value)}`;
  const answer = await api.call<IdentityDetails>("GET", path);
  if (!answer.ok) return printFailure(answer.error);
  process.stdout.write(await formatOutput(options.output, answer.value, () => identityText(answer.value)));
  return exitCodes.done;
}

/** The text for people. */
export function identityText(identity: IdentityDetails): string {
  const lines = [`Identity:     ${identity.spiffeId}`];
  const { revocation } = identity;
  if (revocation !== undefined) {
    const reason = revocation.reason === "" ? "no reason given" : revocation.reason;
    lines.push(`REVOKED:      ${dateText(revocation.revokedMs)}: ${reason}`);
  }
  lines.push(
    `Workloads:    ${identity.workloads.length === 0 ? "none now" : identity.workloads.join(", ")}`,
    `Issued:       ${identity.issued} certificates`,
  );
  if (identity.overdue !== "") lines.push(`Not renewed:  ${identity.overdue}`);
  lines.push(identity.certificates.length === 0 ? "Certificates: none is valid now" : "Certificates:");
  for (const certificate of identity.certificates) {
    lines.push(...certificateLines(certificate));
    if (certificate.revocation !== undefined) lines.push(`    REVOKED   ${certificate.revocation.reason}`);
  }
  if (identity.chain.length > 0) lines.push("Chain above:");
  for (const certificate of identity.chain) lines.push(...certificateLines(certificate));
  lines.push("Who may call:");
  if (identity.callers.length === 0) lines.push("  nobody: it has no workload now");
  for (const { workload, policies } of identity.callers) {
    if (policies.length === 0) lines.push(`  ${workload}: every identity of the mesh (no policy guards it)`);
    for (const { name, action, from } of policies) {
      lines.push(`  ${workload}: ${action} by ${name}, ${from.length === 0 ? "any caller" : from.join("; or ")}`);
    }
  }
  return `${lines.map(printable).join("\n")}\n`;
}

function certificateLines(certificate: CertificateView): readonly string[] {
  return [
    `  ${certificate.kind} ${certificate.serialNumber}`,
    `    valid     ${dateText(certificate.notBeforeMs)} to ${dateText(certificate.notAfterMs)}`,
    `    subject   ${certificate.subject}`,
    `    issuer    ${certificate.issuer}`,
    `    key       ${certificate.key}`,
    `    sha256    ${certificate.sha256}`,
  ];
}

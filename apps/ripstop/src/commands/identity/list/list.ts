// Prints the identities of the mesh and what is revoked.

import type { IdentityList, IdentityView } from "@ripstop/model";
import { controlApi } from "../../../api.ts";
import { exitCodes } from "../../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../../options.ts";
import { printFailure } from "../../../output/failure.ts";
import { formatOutput } from "../../../output/format.ts";
import { formatTable } from "../../../output/table.ts";
import { agoText, timeLeftText } from "../time-text.ts";

/** Prints; the exit code. */
export async function listIdentities(options: HomeOption & OutputOption): Promise<number> {
  const answer = await controlApi(options).call<IdentityList>("GET", "/v1/identity/identities");
  if (!answer.ok) return printFailure(answer.error);
  process.stdout.write(await formatOutput(options.output, answer.value, () => identitiesText(answer.value)));
  return exitCodes.done;
}

/** The tables for people. */
export function identitiesText({ identities, revocations, timeMs }: IdentityList): string {
  const certificates = revocations.filter(({ serialNumber }) => serialNumber !== "");
  const unknown = revocations.filter(
    ({ spiffeId }) => spiffeId !== "" && identities.every((identity) => identity.spiffeId !== spiffeId),
  );
  const main =
    identities.length === 0
      ? "no identity was issued yet: start a workload with `ripstop run`\n"
      : formatTable(
          [
            { title: "identity", cell: (row: IdentityView) => row.spiffeId },
            { title: "workloads", cell: (row) => String(row.workloads.length), right: true },
            { title: "ends in", cell: (row) => timeLeftText(row.notAfterMs, timeMs) },
            { title: "renewed", cell: (row) => (row.issuedMs === 0 ? "-" : `${agoText(row.issuedMs, timeMs)} ago`) },
            { title: "issued", cell: (row) => String(row.issued), right: true },
            { title: "serial", cell: (row) => (row.serialNumber === "" ? "-" : row.serialNumber) },
            { title: "state", cell: stateText },
          ],
          identities,
        );
  const others = [...unknown, ...certificates];
  if (others.length === 0) return main;
  const revoked = formatTable(
    [
      { title: "revoked", cell: (row) => (row.spiffeId === "" ? `certificate ${row.serialNumber}` : row.spiffeId) },
      { title: "since", cell: (row) => `${agoText(row.revokedMs, timeMs)} ago` },
      { title: "reason", cell: (row) => (row.reason === "" ? "-" : row.reason) },
    ],
    others,
  );
  return `${main}\n${revoked}`;
}

function stateText({ revocation, overdue, notAfterMs }: IdentityView): string {
  if (revocation !== undefined) return `REVOKED${revocation.reason === "" ? "" : `: ${revocation.reason}`}`;
  if (overdue !== "") return `not renewed: ${overdue}`;
  return notAfterMs === 0 ? "expired" : "valid";
}

// Asks for a new root and says what comes next.

import type { IdentityHealth, RecoveryRequest } from "@ripstop/model";
import { controlApi } from "../../../api.ts";
import { exitCodes } from "../../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../../options.ts";
import { count, printFailure } from "../../../output/failure.ts";
import { formatOutput } from "../../../output/format.ts";

/** Recovers; the exit code. */
export async function recover(options: HomeOption & OutputOption & { readonly force: boolean }): Promise<number> {
  const body: RecoveryRequest = { force: options.force };
  const answer = await controlApi(options).call<IdentityHealth>("POST", "/v1/identity/recovery", body);
  if (!answer.ok) return printFailure(answer.error);
  const health = answer.value;
  const [root] = health.roots;
  const text = (): string =>
    `a new root signs: ${root?.sha256.slice(0, 16) ?? ""}, valid until ${new Date(root?.notAfterMs ?? 0).toISOString()}\n` +
    `${count(health.workloads.total, "workload")} known; each gets a new SVID within seconds, none is restarted\n`;
  process.stdout.write(await formatOutput(options.output, health, text));
  return exitCodes.done;
}

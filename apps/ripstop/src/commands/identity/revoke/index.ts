// `ripstop identity revoke`.

import { Command } from "commander";
import { durationOption, withHome, withOutput } from "../../../options.ts";
import { IDENTITY_ARGUMENT } from "../identity-argument.ts";
import type { RevokeOptions } from "./revoke.ts";

const EXAMPLES = `
A revoked identity gets no certificate any more, its handshakes are refused, and its live connections are closed at
both ends. With --serial only that certificate is refused; its workload is back with its next one.

Examples:
  ripstop identity revoke shop/catalog --reason "key copied from a laptop"
  ripstop identity revoke --serial 4f1c09d2a4 --reason "left in a backup"
  ripstop identity unrevoke shop/catalog`;

/** The command. */
export function identityRevokeCommand(): Command {
  return withOutput(withHome(new Command("revoke")))
    .description("trust an identity, or one certificate, no more: at once, everywhere, live connections included")
    .argument("[id]", IDENTITY_ARGUMENT)
    .option("--serial <hex>", "only the certificate with this serial number")
    .option("--reason <text>", "in your words; shown wherever the identity is refused", "")
    .option("--timeout <duration>", "wait so long for the proxies", durationOption, 5_000)
    .addHelpText("after", EXAMPLES)
    .action(async (id: string | undefined, options: RevokeOptions) => {
      const { revoke } = await import("./revoke.ts");
      process.exitCode = await revoke(id, options);
    });
}

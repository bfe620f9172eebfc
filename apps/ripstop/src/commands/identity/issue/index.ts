// `ripstop identity issue`.

import { Command } from "commander";
import { durationOption, withHome, withOutput } from "../../../options.ts";
import { IDENTITY_ARGUMENT } from "../identity-argument.ts";
import type { IssueOptions } from "./issue.ts";

const EXAMPLES = `
The key is made here and stays here. Three files are written with mode 0600: svid.pem, key.pem, bundle.pem.
Whoever can read key.pem is that identity until the certificate ends.

Examples:
  ripstop identity issue tools/backup --out ./backup-identity
  ripstop identity issue tools/backup --out ./backup-identity --ttl 10m
  curl --cert ./backup-identity/svid.pem --key ./backup-identity/key.pem ...`;

/** The command. */
export function identityIssueCommand(): Command {
  return withOutput(withHome(new Command("issue")))
    .description("issue a certificate to a tool outside the mesh, for a key that is made here")
    .argument("<id>", IDENTITY_ARGUMENT)
    .requiredOption("--out <dir>", "where to write svid.pem, key.pem and bundle.pem; made when it is not there")
    .option("--ttl <duration>", "lifetime, 10s to 24h (default: that of the mesh)", durationOption)
    .option("--force", "replace files that are there", false)
    .addHelpText("after", EXAMPLES)
    .action(async (id: string, options: IssueOptions) => {
      const { issueIdentity } = await import("./issue.ts");
      process.exitCode = await issueIdentity(id, options);
    });
}

// `ripstop restore`: puts a backup back.

import { Command } from "commander";
import { withHome } from "../../options.ts";
import type { RestoreOptions } from "./restore.ts";

const EXAMPLES = `
Examples:
  ripstop restore mesh.backup --dry-run     what would change
  ripstop restore mesh.backup               into the running mesh, as a new revision; proxies go on
  ripstop restore mesh.backup --offline --home /var/lib/ripstop --passphrase-file passphrase
                                            into an empty home, before its control plane is started`;

/** The command. */
export function restoreCommand(): Command {
  return withHome(new Command("restore"))
    .description("make the resources of a backup the current ones, in the running mesh or in an empty home")
    .argument("<file>", "the backup")
    .option("--dry-run", "show what would change, change nothing", false)
    .option("--reason <text>", "why, kept with the revision")
    .option("--offline", "fill an empty home with everything of the backup, while no control plane runs on it", false)
    .option("--passphrase-file <file>", "passphrase of the keys in the backup, for --offline")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string, options: RestoreOptions) => {
      const { restore } = await import("./restore.ts");
      process.exitCode = await restore(file, options);
    });
}

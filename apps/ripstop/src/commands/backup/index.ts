// `ripstop backup`: a copy of all that the control plane keeps.

import { Command } from "commander";
import { withHome } from "../../options.ts";
import type { BackupOptions } from "./backup.ts";

const EXAMPLES = `
Examples:
  ripstop backup mesh.backup                     resources, history, tokens, revocations
  ripstop backup mesh.backup --with-keys --passphrase-file passphrase
  ripstop restore mesh.backup --dry-run

The file is for its owner alone (0600): it holds the content of Secrets. Keys of the certificate authority are in it only
with --with-keys, encrypted with the passphrase.`;

/** The command. */
export function backupCommand(): Command {
  return withHome(new Command("backup"))
    .description("write a consistent copy of resources, history and tables to a file, while the mesh runs")
    .argument("<file>", "where to; it must not be there yet")
    .option("--with-keys", "with the keys of the certificate authority, encrypted", false)
    .option("--passphrase-file <file>", "passphrase for the keys, at least 12 characters")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string, options: BackupOptions) => {
      const { backup } = await import("./backup.ts");
      process.exitCode = await backup(file, options);
    });
}

// `ripstop rollback`: an earlier state again, as a new revision.

import { Command } from "commander";
import { countOption, durationOption, withHome, withOutput } from "../../options.ts";
import type { RollbackOptions } from "./rollback.ts";

const EXAMPLES = `
Examples:
  ripstop rollback --to 12 --dry-run                 what would change
  ripstop rollback --to 12 --wait                    the whole mesh as it was at revision 12
  ripstop rollback httproute catalog -n shop --to 12 one resource`;

/** The command. */
export function rollbackCommand(): Command {
  return withOutput(withHome(new Command("rollback")))
    .description("make the resources of an earlier revision the current ones again, as a new revision")
    .argument("[kind]", "only one resource: its kind")
    .argument("[name]", "and its name")
    .requiredOption("--to <revision>", "the revision to go back to", countOption)
    .option("-n, --namespace <name>", "namespace of the one resource", "default")
    .option("--dry-run", "show what would change, and change nothing", false)
    .option("--wait", "wait until every proxy that it concerns has it in force", false)
    .option("--timeout <duration>", "how long --wait waits", durationOption, 30_000)
    .option("--reason <text>", "why, kept with the revision", "")
    .addHelpText("after", EXAMPLES)
    .action(async (kind: string | undefined, name: string | undefined, options: RollbackOptions) => {
      const { rollback } = await import("./rollback.ts");
      process.exitCode = await rollback(kind, name, options);
    });
}

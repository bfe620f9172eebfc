// `ripstop audit`: who did what, and who was refused.

import { Command } from "commander";
import { countOption, withHome, withOutput } from "../../options.ts";
import type { AuditOptions } from "./audit.ts";

const EXAMPLES = `
Examples:
  ripstop audit                      the newest writes
  ripstop audit --refused            the newest refusals
  ripstop audit --limit 5000 -o json for another program`;

/** The command. */
export function auditCommand(): Command {
  return withOutput(withHome(new Command("audit")))
    .description("show the audit log: every write through the API, or every refusal, newest first")
    .option("--refused", "refusals instead of writes", false)
    .option("--limit <n>", "most entries to show", countOption, 50)
    .addHelpText("after", EXAMPLES)
    .action(async (options: AuditOptions) => {
      const { audit } = await import("./audit.ts");
      process.exitCode = await audit(options);
    });
}

// `ripstop history`: who changed what, when and why.

import { Command } from "commander";
import { countOption, withHome, withOutput } from "../../options.ts";
import type { HistoryOptions } from "./history.ts";

const EXAMPLES = `
Examples:
  ripstop history                              the newest changes of the mesh
  ripstop history httproute catalog -n shop    those of one resource
  ripstop history --limit 100 -o json`;

/** The command. */
export function historyCommand(): Command {
  return withOutput(withHome(new Command("history")))
    .description("show who changed what, when and why, newest first")
    .argument("[kind]", 'only resources of a kind, for example "httproute"')
    .argument("[name]", "only this resource")
    .option("-n, --namespace <name>", 'namespace (default: all, for one resource "default")')
    .option("--limit <n>", "most revisions to show", countOption, 20)
    .option("--before <n>", "only revisions with a lower number: the next page", countOption)
    .addHelpText("after", EXAMPLES)
    .action(async (kind: string | undefined, name: string | undefined, options: HistoryOptions) => {
      const { history } = await import("./history.ts");
      process.exitCode = await history(kind, name, options);
    });
}

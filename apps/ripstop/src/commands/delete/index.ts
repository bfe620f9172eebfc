// `ripstop delete`: resources by name.

import { Command } from "commander";
import { durationOption, withHome, withOutput } from "../../options.ts";
import type { DeleteOptions } from "./delete.ts";

const EXAMPLES = `
Examples:
  ripstop delete httproute catalog -n shop
  ripstop delete authorizationpolicy shop-only -n shop --wait`;

/** The command. */
export function deleteCommand(): Command {
  return withOutput(withHome(new Command("delete")))
    .description("delete resources by name")
    .argument("<kind>", 'a kind, for example "httproute"')
    .argument("<names...>", "names of resources")
    .option("-n, --namespace <name>", "namespace", "default")
    .option("--wait", "wait until every proxy that it concerns has it in force", false)
    .option("--timeout <duration>", "how long --wait waits", durationOption, 30_000)
    .option("--reason <text>", "why, kept with the revision", "")
    .addHelpText("after", EXAMPLES)
    .action(async (kind: string, names: string[], options: DeleteOptions) => {
      const { deleteResources } = await import("./delete.ts");
      process.exitCode = await deleteResources(kind, names, options);
    });
}

// `ripstop describe`: one resource or workload for people.

import { Command } from "commander";
import { withHome } from "../../options.ts";
import type { DescribeOptions } from "./describe.ts";

const EXAMPLES = `
Examples:
  ripstop describe httproute catalog -n shop
  ripstop describe workload shop/catalog-7f3a`;

/** The command. */
export function describeCommand(): Command {
  return withHome(new Command("describe"))
    .description("show one resource with its status, or one workload with its identity and traffic")
    .argument("<kind>", 'a kind, or "workload"')
    .argument("<name>", "its name (workloads: the id of `ripstop status`)")
    .option("-n, --namespace <name>", "namespace", "default")
    .addHelpText("after", EXAMPLES)
    .action(async (kind: string, name: string, options: DescribeOptions) => {
      const { describe } = await import("./describe.ts");
      process.exitCode = await describe(kind, name, options);
    });
}

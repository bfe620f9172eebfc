// `ripstop get`: resources and workloads as a table, JSON or YAML.

import { Command } from "commander";
import { withHome, withOutput } from "../../options.ts";
import type { GetOptions } from "./get.ts";

const EXAMPLES = `
Examples:
  ripstop get workloads                    what runs
  ripstop get httproutes -n shop           resources of one kind
  ripstop get httproute catalog -n shop -o yaml
  ripstop get services -n shop -l app=web -w  what changes
  ripstop get all -A                       every resource of every namespace`;

/** The command. */
export function getCommand(): Command {
  return withOutput(withHome(new Command("get")))
    .description("show resources or workloads")
    .argument("<kind>", 'a kind ("httproutes", "HTTPRoute"), "workloads", or "all"')
    .argument("[name]", "one resource")
    .option("-n, --namespace <name>", "namespace", "default")
    .option("-A, --all-namespaces", "all namespaces", false)
    .option("-l, --selector <labels>", "only resources with these labels: app=web,tier!=cache,canary")
    .option("-w, --watch", "show every change, until interrupted", false)
    .addHelpText("after", EXAMPLES)
    .action(async (kind: string, name: string | undefined, options: GetOptions) => {
      const { get } = await import("./get.ts");
      process.exitCode = await get(kind, name, options);
    });
}

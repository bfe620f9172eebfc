// `ripstop explain`: what a kind and its fields mean.

import { Command } from "commander";
import { withOutput } from "../../options.ts";
import type { OutputOption } from "../../options.ts";

const EXAMPLES = `
Examples:
  ripstop explain                                    the kinds
  ripstop explain httproute                          the fields of a kind
  ripstop explain httproute.spec.rules.matches.path  one field
  ripstop explain ControlPlaneConfig                 the configuration of the control plane`;

/** The command. */
export function explainCommand(): Command {
  return withOutput(new Command("explain"))
    .description("explain a kind or one of its fields: meaning, type, default, what is allowed")
    .argument("[kind.field]", 'for example "httproute.spec.rules"; absent: all kinds')
    .addHelpText("after", EXAMPLES)
    .action(async (path: string | undefined, options: OutputOption) => {
      const { explain } = await import("./explain.ts");
      process.exitCode = await explain(path, options);
    });
}

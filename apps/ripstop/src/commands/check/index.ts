// `ripstop check`: is the mesh in order, and will it be tomorrow?

import { Command } from "commander";
import { withHome, withOutput, type HomeOption, type OutputOption } from "../../options.ts";

const EXAMPLES = `
Looks at the control plane, at roots, intermediates and workload certificates, at clocks, at every proxy, and at the
permissions of the mesh home. Ends with 1 when something is wrong, with 0 when there are warnings only.

Examples:
  ripstop check
  ripstop check -o json`;

/** The command. */
export function checkCommand(): Command {
  return withOutput(withHome(new Command("check")))
    .description("look for what is wrong in the mesh, or soon will be; ends with 1 when something is")
    .addHelpText("after", EXAMPLES)
    .action(async (options: HomeOption & OutputOption) => {
      const { check } = await import("./check.ts");
      process.exitCode = await check(options);
    });
}

// `ripstop version`: of this program, and of the control plane when one answers.

import { Command } from "commander";
import { withHome, withOutput, type HomeOption, type OutputOption } from "../../options.ts";

/** The command. */
export function versionCommand(): Command {
  return withOutput(withHome(new Command("version")))
    .description("print the versions of this program, of Node and of the running control plane")
    .action(async (options: HomeOption & OutputOption) => {
      const { version } = await import("./version.ts");
      process.exitCode = await version(options);
    });
}

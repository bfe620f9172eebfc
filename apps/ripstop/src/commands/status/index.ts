// `ripstop status`: the control plane and the workloads in one view.

import { Command } from "commander";
import { withHome, withOutput, type HomeOption, type OutputOption } from "../../options.ts";

/** The command. */
export function statusCommand(): Command {
  return withOutput(withHome(new Command("status")))
    .description(
      "show the control plane and every workload: identity, address, mutual TLS, requests, and whether its config is live",
    )
    .addHelpText("after", "\nExamples:\n  ripstop status\n  ripstop status -o json")
    .action(async (options: HomeOption & OutputOption) => {
      const { status } = await import("./status.ts");
      process.exitCode = await status(options);
    });
}

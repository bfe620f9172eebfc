// `ripstop identity list`.

import { Command } from "commander";
import { withHome, withOutput, type HomeOption, type OutputOption } from "../../../options.ts";

/** The command. */
export function identityListCommand(): Command {
  return withOutput(withHome(new Command("list")))
    .description("list every identity: its workloads, its newest certificate, when that ends, what is revoked")
    .addHelpText("after", "\nExamples:\n  ripstop identity list\n  ripstop identity list -o json")
    .action(async (options: HomeOption & OutputOption) => {
      const { listIdentities } = await import("./list.ts");
      process.exitCode = await listIdentities(options);
    });
}

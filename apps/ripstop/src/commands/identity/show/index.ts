// `ripstop identity show`.

import { Command } from "commander";
import { withHome, withOutput, type HomeOption, type OutputOption } from "../../../options.ts";
import { IDENTITY_ARGUMENT } from "../identity-argument.ts";

/** The command. */
export function identityShowCommand(): Command {
  return withOutput(withHome(new Command("show")))
    .description("show one identity: its certificates, the chain above them, its workloads, who may call them")
    .argument("<id>", IDENTITY_ARGUMENT)
    .addHelpText(
      "after",
      "\nExamples:\n  ripstop identity show shop/catalog\n  ripstop identity show shop/catalog -o json",
    )
    .action(async (id: string, options: HomeOption & OutputOption) => {
      const { showIdentity } = await import("./show.ts");
      process.exitCode = await showIdentity(id, options);
    });
}

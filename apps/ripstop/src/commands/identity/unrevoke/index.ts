// `ripstop identity unrevoke`.

import { Command } from "commander";
import { withHome, withOutput } from "../../../options.ts";
import { IDENTITY_ARGUMENT } from "../identity-argument.ts";
import type { UnrevokeOptions } from "./unrevoke.ts";

/** The command. */
export function identityUnrevokeCommand(): Command {
  return withOutput(withHome(new Command("unrevoke")))
    .description("trust a revoked identity or certificate again")
    .argument("[id]", IDENTITY_ARGUMENT)
    .option("--serial <hex>", "the certificate with this serial number")
    .addHelpText(
      "after",
      "\nExamples:\n  ripstop identity unrevoke shop/catalog\n  ripstop identity unrevoke --serial 4f1c09d2a4",
    )
    .action(async (id: string | undefined, options: UnrevokeOptions) => {
      const { unrevoke } = await import("./unrevoke.ts");
      process.exitCode = await unrevoke(id, options);
    });
}

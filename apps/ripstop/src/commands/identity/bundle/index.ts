// `ripstop identity bundle`: the roots that the mesh trusts.

import { Command, Option } from "commander";
import { withHome, type HomeOption } from "../../../options.ts";
import type { BundleFormat } from "./bundle.ts";

/** The command. */
export function bundleCommand(): Command {
  return withHome(new Command("bundle"))
    .description("print the mesh's trust bundle: the root certificates that everyone in it trusts")
    .addOption(
      new Option("-o, --output <format>", "pem; json with its number; spiffe: the SPIFFE bundle document (a JWK set)")
        .choices(["pem", "json", "spiffe"] satisfies readonly BundleFormat[])
        .default("pem"),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  ripstop identity bundle > roots.pem\n  ripstop identity bundle -o spiffe > bundle.json",
    )
    .action(async (options: HomeOption & { readonly output: BundleFormat }) => {
      const { bundle } = await import("./bundle.ts");
      process.exitCode = await bundle(options);
    });
}

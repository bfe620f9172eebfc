// `ripstop control`: the control plane in the foreground.

import { Command } from "commander";
import { countOption, withHome } from "../../options.ts";
import type { ControlOptions } from "../../roles/control.ts";

/** The command. */
export function controlCommand(): Command {
  return withHome(new Command("control"))
    .description("run the control plane in the foreground: store, certificate authority, config streams, API, dashboard")
    .option("--trust-domain <name>", "trust domain of a new mesh")
    .option("--dashboard-port <port>", "port of the dashboard; another one when it is taken", countOption)
    .addHelpText("after", "\nExamples:\n  ripstop control\n  ripstop control --home /var/lib/ripstop --trust-domain prod.example")
    .action(async (options: ControlOptions) => {
      const { controlRole } = await import("../../roles/control.ts");
      process.exitCode = await controlRole(options);
    });
}

// `ripstop up`: the whole mesh on one machine.

import { Command } from "commander";
import { countOption, withHome } from "../../options.ts";
import type { UpOptions } from "./up.ts";

const EXAMPLES = `
Examples:
  ripstop up                 the control plane and the dashboard, until Ctrl-C
  ripstop up --shop          with the demo shop`;

/** The command. */
export function upCommand(): Command {
  return withHome(new Command("up"))
    .description("bring up a mesh on this machine: control plane, dashboard, and the demo shop if wanted")
    .option("--shop [dir]", "start the demo shop (from this folder)")
    .option("--dashboard-port <port>", "port of the dashboard; another one when it is taken", countOption)
    .addHelpText("after", EXAMPLES)
    .action(async (options: UpOptions) => {
      const { up } = await import("./up.ts");
      process.exitCode = await up(options);
    });
}

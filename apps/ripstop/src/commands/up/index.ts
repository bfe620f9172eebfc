// `ripstop up`: the whole mesh on one machine.

import { Command, Option } from "commander";
import { portOption, withAuthority, withHome } from "../../options.ts";
import type { UpOptions } from "./up.ts";

const EXAMPLES = `
Examples:
  ripstop up                 the control plane and the dashboard, until Ctrl-C
  ripstop up --shop          with the demo shop
  ripstop up --ephemeral     in a home of its own that is removed at the end`;

/** The command. */
export function upCommand(): Command {
  return withAuthority(withHome(new Command("up")))
    .description("bring up a mesh on this machine: control plane, dashboard, and the demo shop if wanted")
    .option("--shop [dir]", "start the demo shop (from this folder)")
    .option("--ephemeral", "remove the mesh home at the end; without --home, a temporary one is made", false)
    .option("--dashboard-port <port>", "port of the dashboard; another one when it is taken", portOption)
    .addOption(
      new Option("--end-with-parent", "end when the IPC channel of the parent process closes")
        .hideHelp()
        .default(false),
    )
    .addHelpText("after", EXAMPLES)
    .action(async (options: UpOptions) => {
      const { up } = await import("./up.ts");
      process.exitCode = await up(options);
    });
}

// `ripstop proxy`: listed for its help; main.ts dispatches it before the command line is loaded.

import { Command } from "commander";

/** The command. */
export function proxyCommand(): Command {
  return new Command("proxy")
    .description("the data plane of one or several workloads (started by `ripstop run`)")
    .requiredOption("--state-dir <dir>", "the state directory that the supervisor made");
}

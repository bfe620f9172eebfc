// `ripstop identity`: who is who in the mesh. One folder a subcommand; each loads its own code when it is used.

import { Command } from "commander";

const EXAMPLES = `
Examples:
  ripstop identity --help
  ripstop check`;

/** The group. A subcommand is one line in the list below and one folder beside this file. */
export function identityCommand(): Command {
  const group = new Command("identity").description(
    "workload identities: list, show, issue, revoke; the mesh's roots and their rotation",
  );
  const commands: readonly Command[] = [];
  for (const command of commands) {
    command.copyInheritedSettings(group);
    group.addCommand(command);
  }
  return group.addHelpText("after", EXAMPLES);
}

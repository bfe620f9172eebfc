// `ripstop identity`: who is who in the mesh. One folder a subcommand; each loads its own code when it is used.

import { Command } from "commander";
import { bundleCommand } from "./bundle/index.ts";
import { recoverCommand } from "./recover/index.ts";
import { rotateRootCommand } from "./rotate-root/index.ts";

const EXAMPLES = `
Examples:
  ripstop identity rotate-root --wait    a new root for the mesh, without an outage
  ripstop identity bundle                the roots that the mesh trusts
  ripstop check`;

/** The group. A subcommand is one line in the list below and one folder beside this file. */
export function identityCommand(): Command {
  const group = new Command("identity").description(
    "workload identities: list, show, issue, revoke; the mesh's roots and their rotation",
  );
  const commands: readonly Command[] = [bundleCommand(), recoverCommand(), rotateRootCommand()];
  for (const command of commands) {
    command.copyInheritedSettings(group);
    group.addCommand(command);
  }
  return group.addHelpText("after", EXAMPLES);
}

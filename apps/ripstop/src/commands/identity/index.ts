// `ripstop identity`: who is who in the mesh. One folder a subcommand; each loads its own code when it is used.

import { Command } from "commander";
import { bundleCommand } from "./bundle/index.ts";
import { recoverCommand } from "./recover/index.ts";
import { rotateRootCommand } from "./rotate-root/index.ts";
import { identityIssueCommand } from "./issue/index.ts";
import { identityListCommand } from "./list/index.ts";
import { identityRevokeCommand } from "./revoke/index.ts";
import { identityShowCommand } from "./show/index.ts";
import { identityUnrevokeCommand } from "./unrevoke/index.ts";

const EXAMPLES = `
Examples:
  ripstop identity list
  ripstop identity show shop/catalog
  ripstop identity revoke shop/catalog --reason "key copied"
  ripstop identity rotate-root --wait    a new root for the mesh, without an outage
  ripstop identity bundle                the roots that the mesh trusts
  ripstop check`;

/** The group. A subcommand is one line in the list below and one folder beside this file. */
export function identityCommand(): Command {
  const group = new Command("identity").description(
    "workload identities: list, show, issue, revoke; the mesh's roots and their rotation",
  );
  const commands: readonly Command[] = [
    identityListCommand(),
    identityShowCommand(),
    identityIssueCommand(),
    identityRevokeCommand(),
    identityUnrevokeCommand(),
    rotateRootCommand(),
    recoverCommand(),
    bundleCommand(),
  ];
  for (const command of commands) {
    command.copyInheritedSettings(group);
    group.addCommand(command);
  }
  return group.addHelpText("after", EXAMPLES);
}

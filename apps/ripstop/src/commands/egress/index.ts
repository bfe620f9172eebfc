// `ripstop egress`: what workloads call outside the mesh.

import { Command } from "commander";
import { withHome, withOutput } from "../../options.ts";
import type { EgressSeenOptions } from "./egress.ts";

const EXAMPLES = `
Examples:
  ripstop egress seen
  ripstop egress seen -n shop -o json

Hosts that an ExternalService declares are services like others, and are listed only when they are called through an egress
gateway. With the label
ripstop.mesh/egress: deny on a Namespace (ripstop-system: for the whole mesh) only declared hosts can be called.`;

/** The group. */
export function egressCommand(): Command {
  const group = new Command("egress").description("show what workloads call outside the mesh");
  const seen = withOutput(withHome(new Command("seen")))
    .description("list the hosts that were called and that no ExternalService declares, or through an egress gateway")
    .option("-n, --namespace <name>", "callers of this namespace only")
    .addHelpText("after", EXAMPLES)
    .action(async (options: EgressSeenOptions) => {
      const { showSeen } = await import("./egress.ts");
      process.exitCode = await showSeen(options);
    });
  seen.copyInheritedSettings(group);
  return group.addCommand(seen).addHelpText("after", EXAMPLES);
}

// `ripstop agent`: the agent of a host.

import { Command } from "commander";
import { withJoin } from "../../join-options.ts";
import { withHome } from "../../options.ts";
import type { AgentOptions } from "./agent.ts";

const EXAMPLES = `
Examples:
  ripstop token create --node edge-1 > edge-1.token                     on the control plane's host
  ripstop agent --join 10.0.0.5:7443 --token-file edge-1.token          on edge-1, the first time
  ripstop agent --join 10.0.0.5:7443                                    from then on: no token is needed
  SPIFFE_ENDPOINT_SOCKET=unix:///root/.ripstop/workload.sock ./app      an application with a SPIFFE library

WorkloadIdentity resources say which process of which node may have which identity. The kernel says who a process is.`;

/** The command. */
export function agentCommand(): Command {
  return withJoin(withHome(new Command("agent")))
    .description("run the agent of this host: node identity, attestation of processes, SPIFFE Workload API")
    .option("--name <name>", "name of the node (default: the host's name)")
    .option("--socket <path>", "socket of the Workload API (default: workload.sock in the mesh home)")
    .addHelpText("after", EXAMPLES)
    .action(async (options: AgentOptions) => {
      const { agent } = await import("./agent.ts");
      process.exitCode = await agent(options);
    });
}

// `ripstop gateway`: the placement of Gateways, the way into the mesh from outside, and out of it.

import { isIP } from "node:net";
import { Command, InvalidArgumentError } from "commander";
import { withJoin } from "../../join-options.ts";
import { countOption, durationOption, portOrAutoOption, withHome, workersOption } from "../../options.ts";
import type { GatewayCommandOptions } from "./gateway.ts";

const EXAMPLES = `
Examples:
  ripstop gateway edge                                     Gateway default/edge, on loopback
  ripstop gateway edge --address 0.0.0.0                   open to other hosts
  ripstop gateway edge --port-offset 8000                  listener port 80 is opened as 8080: no privileges needed
  ripstop gateway edge inner --namespace infra             two Gateways in one process
  ripstop gateway edge --workers auto                      a process a core behind the same ports; SIGUSR2 replaces them all
  ripstop gateway edge --join 10.0.0.5:7443 --token-file gateway.token --address 10.0.0.9

A listener with protocol ripstop.mesh/Egress makes it the way out of the mesh: workloads reach the hosts of ExternalServices
that name the Gateway through it. Give an --address that they can call.

It opens the ports of the Gateway's listeners when all routes are there, and follows every change of listeners,
certificates and routes while connections stay open. A Gateway that does not exist yet is waited for. Addresses in
spec.addresses go before --address. Ports below 1024 need a privilege of the process, or --port-offset.

SIGTERM, SIGINT: no new connections, what is under way finishes (--drain), then the process ends.
Exit codes: 0 after a signal, 125 when the mesh side failed.`;

/** The command. */
export function gatewayCommand(): Command {
  return withJoin(withHome(new Command("gateway")))
    .description("let traffic from outside into the mesh, or out of it: the listeners of Gateways, on real addresses")
    .argument("<names...>", "names of the Gateways")
    .option("--namespace <name>", "namespace of the Gateways", "default")
    .option("--address <ip>", "address that the listeners bind, unless the Gateway says others", ipOption, "127.0.0.1")
    .option("--port-offset <n>", "added to the port of each listener", offsetOption, 0)
    .option("--service-account <name>", 'identity: "gateway", or the name of the one Gateway', "gateway")
    .option("--workers <n>", 'processes that share the listeners, or "auto" for one a core', workersOption, 1)
    .option("--metrics-port <port>", 'loopback port for Prometheus, or "auto"', portOrAutoOption)
    .option("--drain <duration>", "longest time for what is in flight to finish", durationOption, 10_000)
    .option("--wait-timeout <duration>", "longest wait for control plane and first config", durationOption, 60_000)
    .addHelpText("after", EXAMPLES)
    .action(async (names: string[], options: GatewayCommandOptions) => {
      const { gateway } = await import("./gateway.ts");
      process.exitCode = await gateway(names, options);
    });
}

function ipOption(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('give an IP address, for example "0.0.0.0".');
  return text;
}

function offsetOption(text: string): number {
  const offset = countOption(text);
  if (offset > 65_534) throw new InvalidArgumentError("give a number from 0 to 65534.");
  return offset;
}

// `ripstop control`: the control plane in the foreground.

import { Command, Option } from "commander";
import { portOption, withHome } from "../../options.ts";
import type { ControlOptions } from "../../roles/control.ts";

/** The command. */
export function controlCommand(): Command {
  return withHome(new Command("control"))
    .description(
      "run the control plane in the foreground: store, certificate authority, config streams, API, dashboard",
    )
    .option("--trust-domain <name>", "trust domain of a new mesh")
    .option("--dashboard-port <port>", "port of the dashboard; another one when it is taken", portOption)
    .option("--bundle-endpoint <host:port>", "serve the trust bundle to other trust domains here (SPIFFE federation)")
    .option("--bundle-endpoint-cert <file>", "certificate of the Web PKI for it, PEM (default: the own SVID)")
    .option("--bundle-endpoint-key <file>", "key of that certificate, PEM")
    .addOption(
      new Option("--end-with-parent", "end when the IPC channel of the parent process closes")
        .hideHelp()
        .default(false),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  ripstop control\n  ripstop control --home /var/lib/ripstop --trust-domain prod.example\n  ripstop control --bundle-endpoint 0.0.0.0:8443",
    )
    .action(async (options: ControlOptions, command: Command) => {
      const { bundleEndpoint, bundleEndpointCert, bundleEndpointKey } = options;
      if ((bundleEndpointCert === undefined) !== (bundleEndpointKey === undefined))
        command.error("error: --bundle-endpoint-cert and --bundle-endpoint-key come together");
      if (bundleEndpointCert !== undefined && bundleEndpoint === undefined)
        command.error("error: --bundle-endpoint-cert needs --bundle-endpoint");
      const { controlRole } = await import("../../roles/control.ts");
      process.exitCode = await controlRole(options);
    });
}

// `ripstop control`: the control plane in the foreground.

import { Command, Option } from "commander";
import { countOption, portOption, withAuthority, withHome } from "../../options.ts";
import { addressOption } from "../../join-options.ts";
import type { ControlOptions } from "../../roles/control.ts";

/** The command. */
export function controlCommand(): Command {
  return withAuthority(withHome(new Command("control")))
    .description(
      "run the control plane in the foreground: store, certificate authority, config streams, API, dashboard",
    )
    .option("--trust-domain <name>", "trust domain of a new mesh")
    .option("--dashboard-port <port>", "port of the dashboard; another one when it is taken", portOption)
    .option("--keep-revisions <n>", "revisions kept for history, diff and rollback", countOption, 1_000)
    .option("--join-address <host:port>", "where hosts join over the network (default: loopback)", addressOption)
    .option("--stream-address <host:port>", "where proxies get their config (default: loopback)", addressOption)
    .option("--etcd <url...>", "keep resources in etcd: http(s)://HOST:PORT of each member")
    .option("--etcd-prefix <prefix>", "prefix of all keys in etcd", "/ripstop/")
    .option("--etcd-ca <file>", "PEM: certificate authority of the members")
    .option("--etcd-cert <file>", "PEM: certificate of the control plane for etcd")
    .option("--etcd-key <file>", "PEM: key of that certificate")
    .option(
      "--authority-key-file <file>",
      "be one of several control planes on that etcd: the key that all of them share",
    )
    .option("--replica-address <host>", "host by which proxies reach this one of several (default: where it listens)")
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
      "\nExamples:\n  ripstop control\n  ripstop control --home /var/lib/ripstop --trust-domain prod.example\n  ripstop control --etcd https://10.0.0.1:2379 https://10.0.0.2:2379 --etcd-ca ca.pem --etcd-cert me.pem --etcd-key me.key\n  ripstop control --svid-ttl 15m --ca-key ec-p384\n  ripstop control --bundle-endpoint 0.0.0.0:8443\n  ripstop control --join-address 10.0.0.5:7443 --stream-address 10.0.0.5:7444\n  ripstop control --etcd http://10.0.0.1:2379 --authority-key-file mesh.key --stream-address 0.0.0.0:7444 --join-address 0.0.0.0:7443 --replica-address 10.0.0.5",
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

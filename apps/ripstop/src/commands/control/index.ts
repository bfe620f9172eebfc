// `ripstop control`: the control plane in the foreground.

import { Command, Option } from "commander";
import { withHome } from "../../options.ts";
import type { ControlCommandOptions } from "./control.ts";

const EXAMPLES = `
Every setting can stand in a file (--config, kind ControlPlaneConfig) and in an environment variable, too: --api-address is
spec.api.address and RIPSTOP_CONTROL_API_ADDRESS. Flags come before variables, these before the file, that before defaults.

Examples:
  ripstop control
  ripstop control --config control.yaml --print-config
  ripstop control --home /var/lib/ripstop --trust-domain prod.example
  ripstop control --api-address 0.0.0.0:7446
  ripstop control --etcd https://10.0.0.1:2379 https://10.0.0.2:2379 --etcd-ca ca.pem --etcd-cert me.pem --etcd-key me.key
  ripstop control --svid-ttl 15m --ca-key ec-p384
  ripstop control --bundle-endpoint 0.0.0.0:8443
  ripstop control --etcd http://10.0.0.1:2379 --authority-key-file mesh.key --stream-address 0.0.0.0:7444 --join-address 0.0.0.0:7443 --replica-address 10.0.0.5
  ripstop control --join-address 10.0.0.5:7443 --stream-address 10.0.0.5:7444`;

/** The command. */
export function controlCommand(): Command {
  return withHome(new Command("control"))
    .description(
      "run the control plane in the foreground: store, certificate authority, config streams, API, dashboard",
    )
    .option("--config <file>", "settings from a file, kind ControlPlaneConfig")
    .option("--print-config", "print the settings that hold and where each comes from, and end", false)
    .addOption(
      new Option("-o, --output <format>", "format of --print-config")
        .choices(["table", "json", "yaml"])
        .default("table"),
    )
    .option("--trust-domain <name>", "trust domain of a new mesh")
    .option("--api-address <host:port>", "serve the API over TLS here, to callers with a token (default: it is off)")
    .option("--api-cert <file>", "its certificate, PEM (default: the own SVID)")
    .option("--api-key <file>", "key of that certificate, PEM")
    .option("--dashboard-port <port>", "port of the dashboard; another one when it is taken")
    .option("--keep-revisions <n>", "revisions kept for history, diff and rollback (default: 1000)")
    .option("--join-address <host:port>", "where hosts join over the network (default: loopback)")
    .option("--stream-address <host:port>", "where proxies get their config (default: loopback)")
    .option("--limits-resources-per-namespace <n>", "resources in one namespace (default: 20000)")
    .option("--limits-resource-characters <n>", "characters of one resource (default: 1048576)")
    .option("--svid-ttl <duration>", "lifetime of certificates of workloads, 10s to 24h (default: 1h)")
    .option("--ca-key <kind>", "kind of the keys of new root certificates: ec-p256, ec-p384, rsa-2048")
    .option("--root-lifetime <duration>", "lifetime of new root certificates (default: 87600h, ten years)")
    .option("--external-ca <dir>", "sign with an intermediate from elsewhere: tls.crt, tls.key and ca.crt, watched")
    .option("--etcd <url...>", "keep resources in etcd: http(s)://HOST:PORT of each member")
    .option("--etcd-prefix <prefix>", "prefix of all keys in etcd (default: /ripstop/)")
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
    .addHelpText("after", EXAMPLES)
    .action(async (options: ControlCommandOptions) => {
      const { control } = await import("./control.ts");
      process.exitCode = await control(options);
    });
}

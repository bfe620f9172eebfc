// `ripstop run`: one application with its mesh side.

import { Command, Option } from "commander";
import {
  durationOption,
  labelOption,
  portOption,
  portOrAutoOption,
  upstreamOption,
  withHome,
  workersOption,
} from "../../options.ts";
import { withJoin } from "../../join-options.ts";
import type { RunCommandOptions } from "./run.ts";

const EXAMPLES = `
Examples:
  ripstop run --service catalog --port 8080 -- node catalog.js
  ripstop run --service web --port auto --upstream stock -- npm run serve      the port comes in $PORT
  ripstop run --service orders --port 50051 --protocol grpc --label version=v2 -- ./orders
  ripstop run --service edge --port 443 --protocol tls --send-proxy v2 -- nginx   nginx sees the addresses of clients
  ripstop run --service nightly -- ./job.sh                                    a job: ends with the exit code of job.sh
  ripstop run --join 10.0.0.5:7443 --token-file web.token --advertise 10.0.0.9 --service web --port 8080 -- ./web

The application gets:
  PORT                                the port to listen on (with --port)
  HTTP_PROXY, http_proxy              the way out for HTTP: services by name, "http://catalog/"
  NO_PROXY, no_proxy                  127.0.0.1,localhost,::1
  NAME_SERVICE_HOST, _SERVICE_PORT    for each --upstream NAME, a loopback port that leads to it: any protocol

It starts when its proxy has its first complete config. SIGTERM, SIGINT and SIGHUP: the workload leaves the mesh, finishes
what is in flight, then the application gets the signal; a second SIGINT kills it. SIGUSR2 replaces the proxy by a new
process without a failed request (\`ripstop proxy restart\`).

Exit codes: the application's own; 128 + n when signal n ended it; 127 not found, 126 not executable, 125 the mesh side failed.`;

/** The command. */
export function runCommand(): Command {
  return withJoin(withHome(new Command("run")))
    .description("run an application with its mesh side: identity, mutual TLS, routing, policies")
    .requiredOption("--service <name>", "the service that this is a workload of")
    .option("--namespace <name>", "namespace", "default")
    .option("--service-account <name>", "service account of the identity (default: the service's name)")
    .option("--port <port>", 'the port that the application listens on, or "auto"', portOrAutoOption)
    .option("--service-port <port>", "the port that clients name (default: --port; 80 with auto)", portOption)
    .addOption(
      new Option("--protocol <protocol>", "what the port speaks")
        .choices(["auto", "http", "http2", "grpc", "tcp", "tls"])
        .default("auto"),
    )
    .addOption(
      new Option(
        "--send-proxy <version>",
        "begin connections to the application with a PROXY protocol header that names the client",
      ).choices(["v1", "v2"]),
    )
    .option("--label <key=value>", "a label, for selectors; may be repeated", labelOption, {})
    .addOption(
      new Option("--region <name>", "where it runs, for balancing by locality (a label)").env("RIPSTOP_REGION"),
    )
    .addOption(new Option("--zone <name>", "the zone of the region that it runs in (a label)").env("RIPSTOP_ZONE"))
    .option(
      "--upstream <host[:port]>",
      "a service that gets a loopback port of its own; may be repeated",
      upstreamOption,
      [],
    )
    .option("--advertise <address>", "the address of this host by which others reach it (default: loopback)")
    .option(
      "--proxied-upstream <host[:port]>",
      "as --upstream, for a load balancer that begins its connections with a PROXY protocol header; may be repeated",
      upstreamOption,
      [],
    )
    .option(
      "--inbound-proxy",
      "connections of peers come through a load balancer that begins them with a PROXY protocol header",
      false,
    )
    .option("--metrics-port <port>", 'loopback port for Prometheus, or "auto"', portOrAutoOption)
    .option("--proxy-workers <n>", "processes that share the proxy's traffic, or auto", workersOption, 1)
    .option(
      "--tunnel-idle <duration>",
      "raw connections through which nothing passes end after this time; 0s = never",
      durationOption,
      3_600_000,
    )
    .option("--drain <duration>", "longest time for what is in flight to finish", durationOption, 10_000)
    .option("--wait-timeout <duration>", "longest wait for control plane and first config", durationOption, 60_000)
    .addOption(
      new Option("--end-with-parent", "end when the IPC channel of the parent process closes")
        .hideHelp()
        .default(false),
    )
    .argument("<command...>", "the program and its arguments, after --")
    .passThroughOptions()
    .addHelpText("after", EXAMPLES)
    .action(async (command: string[], options: RunCommandOptions) => {
      const { run } = await import("./run.ts");
      process.exitCode = await run(command, options);
    });
}

// `ripstop proxy`: looks into running proxies and acts on them. The data plane itself is the same command with --state-dir;
// main.ts dispatches that before the command line is loaded.

import { Argument, Command, Option } from "commander";
import { durationOption, withHome, withOutput, type HomeOption } from "../../options.ts";
import type { ProfileOptions, ShowOptions } from "./proxy.ts";

const EXAMPLES = `
Examples:
  ripstop proxy show shop/web-7f3a connections -o json
  ripstop proxy show shop/web-7f3a endpoints       weight, zone, health and load of every instance in use
  ripstop proxy profile shop/web-7f3a cpu --seconds 10 --file web.cpuprofile
  ripstop proxy log-level shop/web-7f3a debug
  ripstop proxy restart shop/web-7f3a              a new process takes over, no request fails

The data plane itself (\`ripstop run\` starts it):
  ripstop proxy --state-dir DIR                    one process
  ripstop proxy --state-dir DIR --workers 4        four processes behind the same ports; SIGHUP replaces them all`;

const PROXY = 'id of its workload, "NAMESPACE/INSTANCE" (`ripstop status -o json`), or the path of a state directory';

function withTarget(command: Command): Command {
  return withHome(command).addArgument(new Argument("<proxy>", PROXY));
}

/** The command. */
export function proxyCommand(): Command {
  const command = new Command("proxy")
    .description("look into a running proxy: config, connections, profiles, log level, drain, restart")
    .addHelpText("after", EXAMPLES);
  command.addCommand(
    withOutput(withTarget(new Command("show")), ["table", "json", "yaml"])
      .description("show what a proxy has in force and open; metrics are printed as Prometheus text")
      .addArgument(
        new Argument("[what]", "what to show")
          .choices(["config", "endpoints", "connections", "pools", "metrics", "ready"])
          .default("config"),
      )
      .action(async (proxy: string, what: string, options: ShowOptions) => {
        const { show } = await import("./proxy.ts");
        process.exitCode = await show(proxy, what, options);
      }),
  );
  command.addCommand(
    withTarget(new Command("log-level"))
      .description("show or set the log level of a running proxy")
      .addArgument(new Argument("[level]", "the new level").choices(["debug", "info", "warn", "error"]))
      .action(async (proxy: string, level: string | undefined, options: HomeOption) => {
        const { logLevel } = await import("./proxy.ts");
        process.exitCode = await logLevel(proxy, level, options);
      }),
  );
  command.addCommand(
    withTarget(new Command("profile"))
      .description(
        "take a profile of a running proxy, for Chrome's developer tools; a snapshot holds keys: keep it safe",
      )
      .addArgument(
        new Argument("[kind]", "cpu, heap (who allocates), snapshot (what is in the heap)")
          .choices(["cpu", "heap", "snapshot"])
          .default("cpu"),
      )
      .addOption(new Option("--seconds <n>", "1 to 60").default("5"))
      .option(
        "--file <file>",
        "where to write it, mode 0600 (default: NAME.KIND.cpuprofile, .heapprofile, .heapsnapshot)",
      )
      .action(async (proxy: string, kind: string, options: ProfileOptions) => {
        const { profile } = await import("./proxy.ts");
        process.exitCode = await profile(proxy, kind, options);
      }),
  );
  command.addCommand(
    withTarget(new Command("drain"))
      .description("take no more inbound work and finish what is under way; the application is not touched")
      .option("--deadline <duration>", "longest time", durationOption, 30_000)
      .action(async (proxy: string, options: HomeOption & { readonly deadline: number }) => {
        const { drain } = await import("./proxy.ts");
        process.exitCode = await drain(proxy, options);
      }),
  );
  command.addCommand(
    withTarget(new Command("restart"))
      .description("replace a running proxy by a new process of the installed version; no request fails")
      .action(async (proxy: string, options: HomeOption) => {
        const { restart } = await import("./proxy.ts");
        process.exitCode = await restart(proxy, options);
      }),
  );
  return command;
}

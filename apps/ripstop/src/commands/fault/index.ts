// `ripstop fault`: what is broken on purpose, and the switch that ends it.

import { Command } from "commander";
import { durationOption, withHome, withOutput } from "../../options.ts";
import type { FaultListOptions, FaultStopOptions } from "./fault.ts";

const EXAMPLES = `
Examples:
  ripstop apply -f slow-stock.yaml      a FaultInjection begins like every resource
  ripstop fault list
  ripstop fault stop slow-stock -n shop
  ripstop fault stop --all              everywhere, at once`;

/** The group. */
export function faultCommand(): Command {
  const group = new Command("fault").description("show the faults that are injected on purpose, and end them");
  const commands = [listCommand(), stopCommand()];
  for (const command of commands) {
    command.copyInheritedSettings(group);
    group.addCommand(command);
  }
  return group.addHelpText("after", EXAMPLES);
}

function listCommand(): Command {
  return withOutput(withHome(new Command("list")))
    .description("show every FaultInjection, what it does and until when")
    .option("-n, --namespace <name>", "of this namespace only")
    .action(async (options: FaultListOptions) => {
      const { listFaults } = await import("./fault.ts");
      process.exitCode = await listFaults(options);
    });
}

function stopCommand(): Command {
  return withOutput(withHome(new Command("stop")))
    .description("delete FaultInjections, and wait until every proxy has ended them")
    .argument("[names...]", "names of FaultInjections")
    .option("--all", "all of them, in every namespace (or in that of -n)", false)
    .option("-n, --namespace <name>", "their namespace; default is `default` with names, every one with --all")
    .option("--timeout <duration>", "how long to wait for the proxies", durationOption, 10_000)
    .option("--reason <text>", "why, kept with the revision", "fault stop")
    .addHelpText("after", EXAMPLES)
    .action(async (names: string[], options: FaultStopOptions) => {
      const { stopFaults } = await import("./fault.ts");
      process.exitCode = await stopFaults(names, options);
    });
}

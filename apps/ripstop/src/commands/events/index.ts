// `ripstop events`: what happened in the mesh.

import { Command, InvalidArgumentError } from "commander";
import type { MeshEvent } from "@ripstop/model";
import { countOption, withHome, withOutput } from "../../options.ts";
import type { EventsOptions } from "./events.ts";
import { severities } from "./severities.ts";

const EXAMPLES = `
Examples:
  ripstop events                          the newest, of all control planes
  ripstop events --severity warning       what needs attention
  ripstop events --limit 1000 -o json     for another program`;

/** The command. */
export function eventsCommand(): Command {
  return withOutput(withHome(new Command("events")))
    .description("show what happened in the mesh that its operators should know, newest first")
    .option("--severity <lowest>", "only this severity and above: info, warning, critical", severityOption, "info")
    .option("--limit <n>", "most events to show", countOption, 50)
    .addHelpText("after", EXAMPLES)
    .action(async (options: EventsOptions) => {
      const { showEvents } = await import("./events.ts");
      process.exitCode = await showEvents(options);
    });
}

function severityOption(text: string): MeshEvent["severity"] {
  const found = severities.find((one) => one === text);
  if (found === undefined) throw new InvalidArgumentError(`it is one of ${severities.join(", ")}.`);
  return found;
}

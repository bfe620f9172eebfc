// `ripstop apply`: files of resources, all or nothing.

import { Command } from "commander";
import { durationOption, withHome, withOutput } from "../../options.ts";
import type { ApplyOptions } from "./apply.ts";

const EXAMPLES = `
Examples:
  ripstop apply shop.yaml                    create or change what the file describes
  ripstop apply policies/ --wait             all files of a folder; wait until every proxy has it
  ripstop apply shop.yaml --dry-run -o json  what would change, as JSON
  kustomize build . | ripstop apply -        from standard input

Exit codes: 0 applied, 1 a proxy refused it or --wait ran out of time, 3 violations (nothing was applied),
4 the control plane does not answer.`;

/** The command. */
export function applyCommand(): Command {
  const command = new Command("apply");
  return withOutput(withHome(command))
    .description("create or change resources; reports every violation of every file, and applies all or nothing")
    .argument("[files...]", "files, folders (.yaml, .yml, .json), or - for standard input")
    .option("-f, --filename <files...>", "the same, as kubectl has it")
    .option("--wait", "wait until every proxy that it concerns has it in force", false)
    .option("--timeout <duration>", "how long --wait waits", durationOption, 30_000)
    .option("--dry-run", "check and show what would change, change nothing", false)
    .option("--reason <text>", "why, kept with the revision", "")
    .addHelpText("after", EXAMPLES)
    .action(async (files: string[], options: ApplyOptions) => {
      const { apply } = await import("./apply.ts");
      const all = [...files, ...(options.filename ?? [])];
      if (all.length === 0) command.error("error: name the files to apply");
      process.exitCode = await apply(all, options);
    });
}

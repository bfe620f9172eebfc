// `ripstop diff`: what differs between two revisions, or what files would change.

import { Command } from "commander";
import { countOption, withHome, withOutput } from "../../options.ts";
import type { DiffOptions } from "./diff.ts";

const EXAMPLES = `
Examples:
  ripstop diff -f shop.yaml      what applying the file would change
  ripstop diff 12                what changed since revision 12
  ripstop diff 12 15             what changed from revision 12 to 15

Exit codes: 0 nothing differs, 1 something differs (as diff and kubectl do), others as usual.`;

/** The command. */
export function diffCommand(): Command {
  return withOutput(withHome(new Command("diff")))
    .description("show what differs between two revisions, or what applying files would change")
    .argument("[from]", "revision", countOption)
    .argument("[to]", "revision (default: now)", countOption)
    .option("-f, --file <path...>", "files, folders or - for standard input")
    .addHelpText("after", EXAMPLES)
    .action(async (from: number | undefined, to: number | undefined, options: DiffOptions) => {
      const { diff } = await import("./diff.ts");
      process.exitCode = await diff(from, to, options);
    });
}

// `ripstop identity rotate-root`: exchanges the mesh's root without an outage.

import { Command } from "commander";
import { withHome, withOutput } from "../../../options.ts";
import type { RotateRootOptions } from "./rotate-root.ts";

const NOTES = `
Three phases, each ended by a gate that opens when nobody is in its way:
  distribute   the new root is trusted beside the old one     until every proxy and supervisor has acknowledged that
  move         the new root signs, SVIDs are renewed          until every proxy uses one of the new root
  withdraw     the old root is trusted no more, its key gone  until everyone has acknowledged that
A workload that is away holds the gate up and is named. The control plane goes on with it after a restart.

Examples:
  ripstop identity rotate-root --wait      start, show the progress, end when it is done
  ripstop identity rotate-root --status    how far it is, and who holds it up since when
  ripstop identity rotate-root --abort     give it up, as long as the old root signs
  ripstop identity rotate-root --force     pass the gate that is held up; says who is cut off`;

/** The command. */
export function rotateRootCommand(): Command {
  return withOutput(withHome(new Command("rotate-root")))
    .description("exchange the root certificate of the mesh, without a failed request")
    .option("--wait", "show the progress until it is done; joins one that is under way", false)
    .option("--status", "only show how far a rotation is", false)
    .option("--abort", "give a rotation up before the new root signs", false)
    .option("--force", "pass the gate at which a rotation is held up, and cut off who holds it", false)
    .addHelpText("after", NOTES)
    .action(async (options: RotateRootOptions) => {
      const { rotateRoot } = await import("./rotate-root.ts");
      process.exitCode = await rotateRoot(options);
    });
}

// `ripstop identity recover`: a new root when the old one has expired.

import { Command } from "commander";
import { withHome, withOutput, type HomeOption, type OutputOption } from "../../../options.ts";

const NOTES = `
For a mesh that was off for so long that its root has expired: the control plane starts all the same and serves its API,
and this makes a new root. Supervisors get it over the Unix socket, which needs no certificate, and every workload gets a
new SVID within seconds; no workload is restarted.

--force is for a root whose key is known to others. Every SVID of the old root is void at once: until all workloads have
new ones, seconds later, connections between them fail. For everything else use \`ripstop identity rotate-root\`.

Examples:
  ripstop identity recover
  ripstop identity recover -o json`;

/** The command. */
export function recoverCommand(): Command {
  return withOutput(withHome(new Command("recover")))
    .description("make a new root, because the old one has expired")
    .option("--force", "also when the old root is valid: every SVID is void at once", false)
    .addHelpText("after", NOTES)
    .action(async (options: HomeOption & OutputOption & { readonly force: boolean }) => {
      const { recover } = await import("./recover.ts");
      process.exitCode = await recover(options);
    });
}

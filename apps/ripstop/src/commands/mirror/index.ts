// `ripstop mirror`: how mirrors compare with the services that they shadow.

import { Command } from "commander";
import { withHome, withOutput } from "../../options.ts";
import type { MirrorStatusOptions } from "./mirror.ts";

const EXAMPLES = `
Examples:
  ripstop mirror status
  ripstop mirror status -o json

A RequestMirror filter of an HTTPRoute sends copies to another service. Its answers are read by no client; they are compared
with those of the service: status and latency of every copy, and the body of one in ten.`;

/** The group. */
export function mirrorCommand(): Command {
  const group = new Command("mirror").description("show how mirrors compare with the services that they shadow");
  const status = withOutput(withHome(new Command("status")))
    .description("list failures, differences and latencies of mirrors beside those of their services")
    .addHelpText("after", EXAMPLES)
    .action(async (options: MirrorStatusOptions) => {
      const { showMirrors } = await import("./mirror.ts");
      process.exitCode = await showMirrors(options);
    });
  status.copyInheritedSettings(group);
  return group.addCommand(status).addHelpText("after", EXAMPLES);
}

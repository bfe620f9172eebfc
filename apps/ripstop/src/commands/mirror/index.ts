// `ripstop mirror`: how mirrors compare with the services that they shadow.

import { Command } from "commander";
import { withHome, withOutput } from "../../options.ts";
import type { MirrorCompareOptions } from "./compare.ts";
import type { MirrorStatusOptions } from "./mirror.ts";

const EXAMPLES = `
Examples:
  ripstop mirror status
  ripstop mirror compare shop/catalog      service and mirrors side by side
  ripstop mirror compare shop/catalog -o json

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
  const compare = withOutput(withHome(new Command("compare")))
    .description("put status classes, latencies and body differences of a service and its mirrors side by side")
    .argument("<service>", "the service (NAMESPACE/NAME, or NAME)")
    .addHelpText("after", EXAMPLES)
    .action(async (service: string, options: MirrorCompareOptions) => {
      const { compareMirrors } = await import("./compare.ts");
      process.exitCode = await compareMirrors(service, options);
    });
  for (const command of [status, compare]) command.copyInheritedSettings(group);
  return group.addCommand(status).addCommand(compare).addHelpText("after", EXAMPLES);
}

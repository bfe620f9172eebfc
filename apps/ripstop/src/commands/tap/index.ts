// `ripstop tap`: requests as they happen.

import { Command } from "commander";
import { countOption, withHome, withOutput } from "../../options.ts";
import type { TapOptions } from "./tap.ts";

const EXAMPLES = `
Examples:
  ripstop tap                                    everything
  ripstop tap --destination shop/catalog         calls of one service
  ripstop tap --min-status 400                   what fails
  ripstop tap --path /books -o json --count 10   ten events as JSON, one a line`;

/** The command. */
export function tapCommand(): Command {
  return withOutput(withHome(new Command("tap")), ["table", "json"])
    .description("show live requests: time, source → destination, method, path, status, latency, TLS")
    .option("--source <service>", "only from this service (NAMESPACE/NAME)")
    .option("--destination <service>", "only to this service (NAMESPACE/NAME)")
    .option("--path <prefix>", "only paths that begin so")
    .option("--min-status <status>", "only this HTTP status and above", countOption)
    .option("--count <n>", "end after so many events", countOption)
    .addHelpText("after", EXAMPLES)
    .action(async (options: TapOptions) => {
      const { tap } = await import("./tap.ts");
      process.exitCode = await tap(options);
    });
}

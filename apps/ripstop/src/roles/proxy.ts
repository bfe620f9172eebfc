// The proxy role: reads the bootstrap, wires the proxy engine to the config stream, speaks with the supervisor.

import { stateDirectoryInvalid } from "../errors.ts";

/** Runs the data plane until its supervisor closes the channel. */
export function proxyRole(_argv: readonly string[]): Promise<void> {
  process.stderr.write(`ripstop: ${stateDirectoryInvalid.title}\n`);
  return Promise.resolve();
}

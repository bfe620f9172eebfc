// Prints the versions.

import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { formatOutput } from "../../output/format.ts";
import { packageVersion } from "../../package-version.ts";

/** Works without a control plane. */
export async function version(options: HomeOption & OutputOption): Promise<number> {
  const info = await controlApi(options).info();
  const control = info.ok ? info.value.version : undefined;
  const value = { version: packageVersion, node: process.version, control: control ?? null };
  const text = (): string =>
    `ripstop ${packageVersion} (Node ${process.version})\ncontrol plane: ${control ?? "does not run on this mesh home"}\n`;
  process.stdout.write(await formatOutput(options.output, value, text));
  return exitCodes.done;
}

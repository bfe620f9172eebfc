// Resolves the settings, then prints them or runs the control plane with them.

import { readFileSync } from "node:fs";

import { resolveConfig, type ControlConfig, type ConfigSources } from "../../control-config/resolve-config.ts";
import { settings } from "../../control-config/settings.ts";
import { controlConfigInvalid, fileUnreadable } from "../../errors.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printError, sentence } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable, printable } from "../../output/table.ts";

/** Options of `ripstop control`; those that are settings are read by `resolveConfig`. */
export interface ControlCommandOptions extends HomeOption, OutputOption {
  readonly config?: string;
  readonly printConfig: boolean;
  readonly endWithParent: boolean;
}

/** Runs; the exit code. */
export async function control(options: ControlCommandOptions): Promise<number> {
  let file: ConfigSources["file"];
  if (options.config !== undefined) {
    try {
      file = { name: options.config, text: readFileSync(options.config, "utf8") };
    } catch (error) {
      printError(fileUnreadable, error instanceof Error ? error.message : options.config);
      return exitCodes.usage;
    }
  }
  const resolved = resolveConfig({
    flags: { ...options },
    environment: process.env,
    ...(file === undefined ? {} : { file }),
  });
  if (!resolved.ok) {
    for (const { source, resource, path, message, remedy } of resolved.error) {
      const place = source === undefined ? resource : `${source.file}:${source.line}:${source.column}`;
      process.stderr.write(`${printable(`${place} ${path} — ${sentence(message)} ${sentence(remedy)}`)}\n`);
    }
    printError(controlConfigInvalid, `${resolved.error.length} of the settings cannot be followed`);
    return exitCodes.usage;
  }
  if (options.printConfig) {
    process.stdout.write(await formatOutput(options.output, resolved.value, () => configTable(resolved.value)));
    return exitCodes.done;
  }
  const { controlRole } = await import("../../roles/control.ts");
  return controlRole(resolved.value.spec, options);
}

function configTable({ spec, origins }: ControlConfig): string {
  const rows = settings.flatMap(({ path }) => {
    const name = path.join(".");
    let value: unknown = spec;
    for (const step of path) value = (value as Readonly<Record<string, unknown>> | undefined)?.[step];
    return value === undefined ? [] : [{ name, value, origin: origins[name] ?? "default" }];
  });
  return formatTable(
    [
      { title: "setting", cell: ({ name }: (typeof rows)[number]) => name },
      { title: "value", cell: ({ value }) => (typeof value === "string" ? value : JSON.stringify(value)) },
      { title: "from", cell: ({ origin }) => origin },
    ],
    rows,
  );
}

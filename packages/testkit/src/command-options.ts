// Options of the project's own measuring and soak commands: one place that reads them, says --help and refuses what is wrong.

import { parseArgs } from "node:util";
import { err, ok, type Result } from "@ripstop/core";

/** An option that takes a whole number. */
interface NumberOption {
  readonly kind: "number";
  readonly fallback: number;
  readonly least: number;
  readonly help: string;
}

/** An option that takes text; absent when it was not given. */
interface TextOption {
  readonly kind: "text";
  readonly placeholder: string;
  readonly help: string;
  /** The only values that are taken; undefined: any. */
  readonly among: readonly string[] | undefined;
}

/** An option that is there or not. */
interface FlagOption {
  readonly kind: "flag";
  readonly help: string;
}

type Option = NumberOption | TextOption | FlagOption;
type Options = Readonly<Record<string, Option>>;
type Value<O extends Option> = O extends NumberOption ? number : O extends FlagOption ? boolean : string | undefined;

/** What was given, or else the fallbacks. */
export type Values<O extends Options> = { readonly [Name in keyof O]: Value<O[Name]> };

/** A whole number of `least` (1) or more. */
export function count(fallback: number, help: string, least: number = 1): NumberOption {
  return { kind: "number", fallback, least, help };
}

/** A text, named `placeholder` in the help; one of `among` when that is given. */
export function text(placeholder: string, help: string, among?: readonly string[]): TextOption {
  return { kind: "text", placeholder, help, among };
}

/** A switch, off by default. */
export function flag(help: string): FlagOption {
  return { kind: "flag", help };
}

/** Who asks: the command as it is typed, and what it does in a sentence or more. */
export interface CommandText {
  readonly command: string;
  readonly about: string;
  /** Words after the options, as they stand in the usage line; undefined: none are taken. */
  readonly words?: string;
}

/** What a command line says. */
export type Read<O extends Options> =
  | { readonly help: string }
  | { readonly values: Values<O>; readonly words: readonly string[] };

/** Reads `argv`; the error is a sentence that names the option and what it takes. */
export function readOptions<O extends Options>(
  { command, about, words }: CommandText,
  options: O,
  argv: readonly string[],
): Result<Read<O>, string> {
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: words !== undefined,
      options: {
        help: { type: "boolean" },
        ...Object.fromEntries(
          Object.entries(options).map(([name, { kind }]) => [name, { type: kind === "flag" ? "boolean" : "string" }]),
        ),
      },
    });
  } catch (error) {
    return err(`${error instanceof Error ? error.message : String(error)}; ${command} --help names the options`);
  }
  const usage = `Usage: ${command} -- [OPTIONS]${words === undefined ? "" : ` ${words}`}`;
  if (parsed.values["help"] === true) return ok({ help: `${usage}\n\n${about}\n\n${table(options)}` });
  const values: Record<string, number | string | boolean | undefined> = {};
  for (const [name, option] of Object.entries(options)) {
    const given = parsed.values[name];
    const value = valueOf(option, typeof given === "string" ? given : undefined, given === true);
    if (!value.ok) return err(`--${name} takes ${value.error}, not "${String(given)}"`);
    values[name] = value.value;
  }
  return ok({ values: values as Values<O>, words: parsed.positionals });
}

/** The options of this process. Says the help and exits with 0, or what is wrong and exits with 2. */
export function commandOptions<O extends Options>(
  who: CommandText,
  options: O,
): { readonly values: Values<O>; readonly words: readonly string[] } {
  const read = readOptions(who, options, process.argv.slice(2));
  if (read.ok && "values" in read.value) return read.value;
  if (!read.ok) process.stderr.write(`${read.error}\n`);
  else if ("help" in read.value) process.stdout.write(read.value.help);
  process.exit(read.ok ? 0 : 2);
}

function valueOf(
  option: Option,
  given: string | undefined,
  isSet: boolean,
): Result<number | string | boolean | undefined, string> {
  switch (option.kind) {
    case "flag":
      return ok(isSet);
    case "text":
      if (given === undefined || option.among?.includes(given) !== false) return ok(given);
      return err(`one of ${option.among.join(", ")}`);
    case "number": {
      if (given === undefined) return ok(option.fallback);
      const value = Number(given);
      const fits = given.trim() !== "" && value >= option.least && Number.isSafeInteger(value);
      return fits ? ok(value) : err(`a whole number from ${option.least}`);
    }
  }
}

function table(options: Options): string {
  const lines = Object.entries(options).map(([name, option]) => {
    if (option.kind === "flag") return [`--${name}`, option.help] as const;
    if (option.kind === "number") return [`--${name} N`, `${option.help} (${option.fallback})`] as const;
    const among = option.among === undefined ? "" : ` (${option.among.join(", ")})`;
    return [`--${name} ${option.placeholder}`, option.help + among] as const;
  });
  lines.push(["--help", "this text"]);
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, help]) => `  ${name.padEnd(width)}  ${help}\n`).join("");
}

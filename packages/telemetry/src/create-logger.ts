// The logger: JSON lines for machines, short text for a terminal. A log call never throws and never forges a line.

import type { Clock } from "@ripstop/core";
import type { LogFields, Logger, LogLevel } from "./log.ts";

/** How lines are written. */
export type LogFormat = "json" | "text";

/** Where and how to log. */
export interface LoggerOptions {
  readonly clock: Clock;
  /** Default "info". */
  readonly level?: LogLevel;
  /** Default "json"; roles choose "text" on a terminal (see `logFormatFor`). A function is asked at the first line. */
  readonly format?: LogFormat | (() => LogFormat);
  /** Takes one whole line, newline included. Default: standard error. */
  readonly write?: (line: string) => void;
}

const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const MAX_TEXT = 4_096;
/** Values under such names are never written. */
const SECRET = /token|secret|password|passwd|authorization|cookie|privatekey|keypem|private_key|api_?key|credential/i;
const PEM_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const BEARER = /\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi;

/** "text" for a terminal, else "json"; `NO_COLOR` and such play no part, there are no colours. */
export function logFormatFor(stream: { readonly isTTY?: boolean }): LogFormat {
  return stream.isTTY === true ? "text" : "json";
}

/** A logger; children share its level and output. */
export function createLogger(options: LoggerOptions): Logger {
  const { clock, level = "info", format = "json", write } = options;
  // Standard error is opened by the first line: few proxies write one while they start.
  let output: Output | undefined;
  const open = (): Output =>
    (output ??= { format: typeof format === "string" ? format : format(), write: write ?? standardError() });
  return new LineLogger({ clock, level, open }, {});
}

/** Writes to standard error; when its reader is gone, lines are lost. */
function standardError(): (line: string) => void {
  // That is told as an event and not thrown, and without a listener it would end the process.
  if (!process.stderr.listeners("error").includes(loseLine)) process.stderr.on("error", loseLine);
  return (line) => process.stderr.write(line);
}

function loseLine(): void {}

interface State {
  readonly clock: Clock;
  level: LogLevel;
  readonly open: () => Output;
}

interface Output {
  readonly format: LogFormat;
  readonly write: (line: string) => void;
}

class LineLogger implements Logger {
  readonly #state: State;
  readonly #fields: LogFields;

  constructor(state: State, fields: LogFields) {
    this.#state = state;
    this.#fields = fields;
  }

  get level(): LogLevel {
    return this.#state.level;
  }

  set level(level: LogLevel) {
    this.#state.level = level;
  }

  debug(message: string, fields?: LogFields): void {
    this.#log("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#log("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#log("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#log("error", message, fields);
  }

  child(fields: LogFields): Logger {
    return new LineLogger(this.#state, { ...this.#fields, ...fields });
  }

  #log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    const { clock, open } = this.#state;
    if (RANKS[level] < RANKS[this.#state.level]) return;
    try {
      const { format, write } = open();
      const time = new Date(clock.nowMs()).toISOString();
      const line: Line = { time, level, message: clean(message), fields: { ...this.#fields, ...fields } };
      write(format === "json" ? jsonLine(line) : textLine(line));
    } catch {
      // Telemetry never fails what it reports on: a closed pipe or a hostile value loses this line only.
    }
  }
}

interface Line {
  readonly time: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

function jsonLine({ time, level, message, fields }: Line): string {
  // Without a prototype, a field called "__proto__" is a field like any other.
  const line: Record<string, unknown> = { __proto__: null, time, level, message };
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value === undefined) continue;
    line[name in line ? `field_${name}` : name] = redact(name, value);
  }
  // JSON leaves DEL, C1 controls and the line separators of Unicode as they are.
  return `${JSON.stringify(line).replace(LOUD, escape)}\n`;
}

function textLine({ time, level, message, fields }: Line): string {
  let line = `${time.slice(11, 23)} ${level.padEnd(5)} ${message.replace(LOUD, escape)}`;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value === undefined) continue;
    const text = String(redact(name, value));
    line += ` ${name.replace(LOUD, escape)}=${/^[\w./:@%+-]+$/.test(text) ? text : JSON.stringify(text).replace(LOUD, escape)}`;
  }
  return `${line}\n`;
}

function redact(name: string, value: string | number | boolean): string | number | boolean {
  if (typeof value !== "string") return value;
  return SECRET.test(name) ? "(not logged)" : clean(value);
}

function clean(text: string): string {
  const bounded = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}... (${text.length} characters)` : text;
  if (PEM_KEY.test(bounded)) return "(not logged)";
  return bounded.replace(BEARER, "$1 (not logged)");
}

// eslint-disable-next-line no-control-regex -- control characters are what is to be found
const LOUD = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

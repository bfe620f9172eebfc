// Logs: one line an event, JSON or text; values are escaped so that no peer can forge a line.

/** Names and values of an event. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** From chatty to silent. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes events at or above its level. */
export interface Logger {
  level: LogLevel;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every event. */
  child(fields: LogFields): Logger;
}

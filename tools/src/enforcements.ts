// What must never be missing: each line is a function that refuses something, and the tests that notice when it does not.

/** One enforcement. Paths are relative to the checkout, of compiled files. */
export interface Enforcement {
  /** For the report: "peer verification". */
  readonly what: string;
  readonly file: string;
  /** "name" or "Class.name". */
  readonly function: string;
  /** The body that enforces nothing. */
  readonly without: string;
  readonly tests: readonly string[];
}

export const enforcements: readonly Enforcement[] = [];

// Every error a user can meet has a stable code, a title, likely causes and a remedy. Each package lists its
// own kinds in `errors.ts`; docs/reference/errors.md is generated from them all.

/** One kind of error that a user can meet. */
export interface ErrorKind {
  /** Stable code, "RS" and four digits; never reused for another meaning. */
  readonly code: `RS${number}`;
  /** Short snake_case name, used as a metric label and in logs. */
  readonly name: string;
  /** HTTP status that the proxy or API answers with, where it answers. */
  readonly status: number;
  /** gRPC status number for the same (google.rpc.Code). */
  readonly grpcStatus: number;
  /** What happened, in one plain sentence without a full stop. */
  readonly title: string;
  /** What usually causes it. */
  readonly cause: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** Declares an error kind; checks the shape of its code. */
export function defineError(kind: ErrorKind): ErrorKind {
  if (!/^RS[0-9]{4}$/.test(kind.code)) throw new Error(`malformed error code ${kind.code}`);
  return Object.freeze(kind);
}

/** An error of a known kind with the facts of this one occurrence. */
export class RipstopError extends Error {
  readonly kind: ErrorKind;
  /** Names and values that say which thing was concerned. */
  readonly details: Readonly<Record<string, string>>;

  constructor(kind: ErrorKind, message: string, details: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "RipstopError";
    this.kind = kind;
    this.details = details;
  }
}

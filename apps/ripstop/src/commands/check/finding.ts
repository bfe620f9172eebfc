// What a check finds.

/** One fact that was looked at. */
export interface Finding {
  readonly severity: "ok" | "warning" | "problem";
  /** One sentence without full stop. */
  readonly message: string;
  /** What to do; "" when nothing is to be done. */
  readonly remedy: string;
}

/** Findings about one part of the mesh. */
export interface Section {
  readonly name: string;
  readonly findings: readonly Finding[];
}

/** All is well with it. */
export function fine(message: string): Finding {
  return { severity: "ok", message, remedy: "" };
}

/** It works now and will not for ever. */
export function warning(message: string, remedy: string): Finding {
  return { severity: "warning", message, remedy };
}

/** It does not work, or is not safe. */
export function problem(message: string, remedy: string): Finding {
  return { severity: "problem", message, remedy };
}

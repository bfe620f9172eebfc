// How a checker ends: what is wrong, or how much was seen. A checker that saw nothing fails.

/** What a checker found. */
export interface Verdict {
  /** One line each: "PLACE: what is wrong; what to do". */
  readonly problems: readonly string[];
  /** How many things were checked. */
  readonly seen: number;
  /** What they are, in the plural. */
  readonly noun: string;
}

/** The lines to print, and whether it is all right. */
export function judge({ problems, seen, noun }: Verdict): { readonly ok: boolean; readonly text: string } {
  if (seen === 0) return { ok: false, text: `saw no ${noun}: the checker looks in the wrong place` };
  if (problems.length > 0) return { ok: false, text: [...problems, `${problems.length} wrong`].join("\n") };
  return { ok: true, text: `${seen} ${noun}` };
}

/** Prints the verdict and sets the exit code of the process. */
export function conclude(verdict: Verdict): void {
  const { ok, text } = judge(verdict);
  (ok ? process.stdout : process.stderr).write(`${text}\n`);
  process.exitCode = ok ? 0 : 1;
}

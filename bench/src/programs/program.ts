// What the load programs have in common: options as JSON in the first argument, one line of JSON as the result.

/** The options that the harness gave. */
export function programOptions<T>(): T {
  return JSON.parse(process.argv[2] ?? "{}") as T;
}

/** Prints the result and ends. */
export function finish(result: Readonly<Record<string, number>>): void {
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

/** Ends with a reason that the harness reports. */
export function giveUp(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

/** Milliseconds on a clock that all threads of the process share, with fractions. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

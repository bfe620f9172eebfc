// Options of V8 that keep a proxy small, set while it runs. On the command line they do that too, but V8 takes compiled code only
// under the options that it was compiled with: all of Node's own modules would be compiled at each start.

/** An option for resident memory. */
export interface MemoryOption {
  /** On the command line. */
  readonly atStart: string;
  /** At run time, a tenth of a second after the start. */
  readonly held: string;
  /** What `held` is by default. */
  readonly usual: string;
  /** The operator's option of Node in whose place this one would come. */
  readonly chosen: RegExp;
  /** The first line of Node that needs it. */
  readonly sinceNode: number;
}

const OPTIONS: readonly MemoryOption[] = [
  // Two halves of 2 MiB, which it has by then: the hot path allocates little (4 costs 5 MiB more than 2 under load).
  {
    atStart: "--max-semi-space-size=2",
    held: "--semi-space-growth-factor=1",
    usual: "--semi-space-growth-factor=2",
    chosen: /^--m(ax|in)[-_]semi[-_]space[-_]size/,
    sinceNode: 20,
  },
  // The middle compiler costs 17 MB under load on Node 26, and what runs long is compiled by TurboFan all the same: 32.2
  // against 31.8 us of CPU a request once warm. Node 22.9 and later ones of that line have none: there this does nothing.
  {
    atStart: "--no-maglev",
    held: "--no-maglev",
    usual: "--maglev",
    chosen: /^--(no[-_]?)?maglev$/,
    sinceNode: 22,
  },
];

let held: readonly MemoryOption[] = [];

/** The options for a proxy that was started with `execArgv`, without those that the operator has chosen. */
export function memoryOptions(
  execArgv: readonly string[],
  node: number = Number.parseInt(process.versions.node),
): readonly MemoryOption[] {
  return OPTIONS.filter(
    ({ chosen, sinceNode }) => node >= sinceNode && !execArgv.some((option) => chosen.test(option)),
  );
}

/** Sets them in this process, which was started with `execArgv`. */
export function holdMemory(execArgv: readonly string[]): void {
  held = memoryOptions(execArgv);
  setFlags(held.map((option) => option.held));
}

/** What `run` returns under the options that the process started with. */
export function underStartOptions<T>(run: () => T): T {
  setFlags(held.map(({ usual }) => usual));
  try {
    return run();
  } finally {
    setFlags(held.map((option) => option.held));
  }
}

/** node:v8 is loaded when it is asked for: traffic comes first. */
function setFlags(flags: readonly string[]): void {
  if (flags.length > 0) process.getBuiltinModule("node:v8").setFlagsFromString(flags.join(" "));
}

// The young generation of a proxy, kept small while it runs. An option of the command line does that too, but V8 takes
// compiled code only under the options that it was compiled with: all of Node's own modules would be compiled at each start.

const HELD = "--semi-space-growth-factor=1";
const GROWING = "--semi-space-growth-factor=2";

let isHeld = false;

/** Lets the young generation of this process grow no more. A tenth of a second after its start a proxy's has two halves of 2 MiB. */
export function holdYoungGeneration(): void {
  setFlags(HELD);
  isHeld = true;
}

/** Whether options of Node give the young generation a size. */
export function sizesYoungGeneration(execArgv: readonly string[]): boolean {
  return execArgv.some((option) => /^--m(ax|in)[-_]semi[-_]space[-_]size/.test(option));
}

/** What `run` returns under the options that the process started with. */
export function underStartOptions<T>(run: () => T): T {
  if (!isHeld) return run();
  setFlags(GROWING);
  try {
    return run();
  } finally {
    setFlags(HELD);
  }
}

/** node:v8 is loaded when it is asked for: traffic comes first. */
function setFlags(flags: string): void {
  process.getBuiltinModule("node:v8").setFlagsFromString(flags);
}

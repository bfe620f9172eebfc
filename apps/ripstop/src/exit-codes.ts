// Exit codes of the commands (documented in `ripstop --help`).

/** What the shell gets. `ripstop run` passes the application's own code on instead, or 125 … 127 as `env` does. */
export const exitCodes = {
  done: 0,
  /** It did not work; the message says why. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The resources have violations; nothing was applied. */
  invalid: 3,
  /** The control plane does not answer. */
  unreachable: 4,
} as const;

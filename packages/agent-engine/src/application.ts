// The user's program as a child process: started once, given signals, its end turned into an exit code.

import { spawn, type ChildProcess } from "node:child_process";
import { constants } from "node:os";
import { RipstopError } from "@ripstop/core";
import { commandNotExecutable, commandNotFound } from "./errors.ts";

/** How the program ended. */
export interface ApplicationEnd {
  /** Its exit code; 128 + the signal's number when a signal ended it; 127 or 126 when it could not be started (as shells do). */
  readonly exitCode: number;
  /** Set when it could not be started. */
  readonly error: RipstopError | undefined;
}

/** A program that was started. */
export interface Application {
  readonly ended: Promise<ApplicationEnd>;
  /** Passes a signal on; nothing happens when the program has ended. */
  signal(name: NodeJS.Signals): void;
}

/** Starts `command` with this process's stdin, stdout and stderr, and `env` as its whole environment. */
export function startApplication(command: readonly string[], env: NodeJS.ProcessEnv): Application {
  const [program = "", ...args] = command;
  let child: ChildProcess | undefined;
  const ended = new Promise<ApplicationEnd>((resolve) => {
    const failed = (cause: unknown): void => {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
      if (code === "ENOENT") resolve({ exitCode: 127, error: new RipstopError(commandNotFound, `"${program}"`) });
      else
        resolve({
          exitCode: 126,
          error: new RipstopError(commandNotExecutable, `"${program}" (${code === "" ? String(cause) : code})`),
        });
    };
    try {
      child = spawn(program, args, { stdio: "inherit", env });
    } catch (cause) {
      failed(cause);
      return;
    }
    child.on("error", (cause) => {
      // An error after the start is a signal that could not be delivered: the end is reported by "exit".
      if (child?.pid === undefined) failed(cause);
    });
    child.on("exit", (code, signal) => resolve({ exitCode: exitCodeOf(code, signal), error: undefined }));
  });
  return {
    ended,
    signal: (name) => void child?.kill(name),
  };
}

/** Stands in the place of an application where there is none (a gateway): ends at its first signal. */
export function proxyAlone(): Application {
  let end = (_end: ApplicationEnd): void => undefined;
  const ended = new Promise<ApplicationEnd>((resolve) => {
    end = resolve;
  });
  return { ended, signal: () => end({ exitCode: 0, error: undefined }) };
}

/** The code that a shell gives for this end. */
export function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  if (signal !== null) return 128 + (constants.signals[signal] ?? 0);
  return code ?? 1;
}

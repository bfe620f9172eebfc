// What the authority must know after a restart: which roots are trusted, which one signs, and how far a rotation is.
// Every step of a rotation is one atomic replacement of this file, so that a crash leaves the step done or not begun.

import { readFile } from "node:fs/promises";

import { err, ok, type Result } from "@ripstop/core";

import { isMissing, messageOf, writePrivateFile } from "./key-store.ts";

/** A root in the bundle. */
export interface StateRoot {
  /** Name of its key in the key store, and of its intermediate; "" for one that came in files. */
  readonly name: string;
  readonly pem: string;
}

/** A rotation under way; the phases are those of the API. */
export interface RotationRecord {
  readonly phase: "distribute" | "move" | "withdraw";
  /** SHA-256 of the old and of the new root, hex. */
  readonly from: string;
  readonly to: string;
  readonly startedMs: number;
  readonly phaseSinceMs: number;
  /** Workloads that were cut off with force. */
  readonly forced: readonly string[];
}

/** How the rotation before ended. */
export interface PastRotation {
  readonly outcome: "done" | "given up" | "recovered";
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly forced: readonly string[];
}

/** The file. */
export interface AuthorityState {
  readonly version: 1;
  /** Of the bundle; grows with every change. */
  readonly sequence: number;
  /** The bundle, oldest first. */
  readonly roots: readonly StateRoot[];
  /** SHA-256 of the root that signs, hex. */
  readonly signing: string;
  readonly rotation?: RotationRecord;
  readonly last?: PastRotation;
}

/** Where the state is kept. */
export interface AuthorityStateStore {
  /** Undefined when there is none, an error when it is damaged or newer. */
  read(): Promise<Result<AuthorityState | undefined, string>>;
  /** Replaces what was read or written last; durable when kept. Throws when it cannot be, or another was faster. */
  write(state: AuthorityState): Promise<void>;
  /** Calls `listener` when it may have been changed by somebody else; returns how to stop. */
  watch(listener: () => void): () => void;
}

/** The state in a file that one process has for itself. */
export function authorityStateFile(path: string): AuthorityStateStore {
  return {
    read: () => readAuthorityState(path),
    write: (state) => writeAuthorityState(path, state),
    watch: () => () => undefined,
  };
}

/** Reads the file; undefined when there is none, an error when it is damaged or newer. */
export async function readAuthorityState(path: string): Promise<Result<AuthorityState | undefined, string>> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    return isMissing(error) ? ok(undefined) : err(`${path}: ${messageOf(error)}`);
  }
  return isAuthorityState(value) ? ok(value) : err(`${path} is damaged or of a newer version`);
}

/** Replaces the file atomically; durable when kept. Throws a system error. */
export function writeAuthorityState(path: string, state: AuthorityState): Promise<void> {
  return writePrivateFile(path, `${JSON.stringify(state, undefined, 2)}\n`);
}

/** Whether a value is a state. Only this program writes it, atomically: the version stands for the shape of the rest. */
export function isAuthorityState(value: unknown): value is AuthorityState {
  return (
    typeof value === "object" &&
    value !== null &&
    "version" in value &&
    value.version === 1 &&
    "sequence" in value &&
    Number.isSafeInteger(value.sequence) &&
    "roots" in value &&
    Array.isArray(value.roots) &&
    value.roots.length > 0 &&
    value.roots.every(isRoot) &&
    "signing" in value &&
    typeof value.signing === "string"
  );
}

function isRoot(value: unknown): value is StateRoot {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    typeof value.name === "string" &&
    "pem" in value &&
    typeof value.pem === "string"
  );
}

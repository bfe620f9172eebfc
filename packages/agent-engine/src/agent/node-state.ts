// What an agent keeps of itself from one start to the next: one file (0600) with key, SVID and bundle together, so that
// a crash never leaves a key beside the certificate of another.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { err, ok, RipstopError, type Result } from "@ripstop/core";
import { writeFileAtomically } from "../atomic-file.ts";
import { nodeStateUnusable } from "../errors.ts";

/** The identity of a node. */
export interface NodeState {
  readonly name: string;
  readonly spiffeId: string;
  readonly trustDomain: string;
  readonly keyPem: string;
  readonly svidChainPem: string;
  readonly bundlePem: string;
  readonly proofUntilMs: number;
  /** Join listeners of the control planes when they were heard of last ("HOST:PORT"). */
  readonly joins?: readonly string[];
}

const FILE = "node.json";
const TEXTS = ["name", "spiffeId", "trustDomain", "keyPem", "svidChainPem", "bundlePem"] as const;

/** Reads the state in a folder; undefined when there is none yet. */
export function readNodeState(directory: string): Result<NodeState | undefined, RipstopError> {
  let text: string;
  try {
    text = readFileSync(join(directory, FILE), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return ok(undefined);
    return unusable(error);
  }
  try {
    const value: unknown = JSON.parse(text);
    return isNodeState(value) ? ok(value) : unusable(new Error(`${join(directory, FILE)} is not complete`));
  } catch (error) {
    return unusable(error);
  }
}

/** Writes the state, durably, making the folder (0700) when it is missing. */
export function writeNodeState(directory: string, state: NodeState): Result<undefined, RipstopError> {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileAtomically(join(directory, FILE), `${JSON.stringify(state, undefined, 2)}\n`);
    return ok(undefined);
  } catch (error) {
    return unusable(error);
  }
}

function isNodeState(value: unknown): value is NodeState {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const joins = fields.get("joins") ?? [];
  if (!Array.isArray(joins) || !joins.every((one) => typeof one === "string")) return false;
  return TEXTS.every((name) => typeof fields.get(name) === "string") && typeof fields.get("proofUntilMs") === "number";
}

function unusable(error: unknown): Result<never, RipstopError> {
  return err(new RipstopError(nodeStateUnusable, error instanceof Error ? error.message : String(error)));
}

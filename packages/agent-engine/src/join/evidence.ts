// Proofs from files: a join token, or a platform's JWT that the platform renews in place.

import { readFileSync, statSync } from "node:fs";

import { err, ok, type Result } from "@ripstop/core";
import { parseJoinToken } from "@ripstop/identity/attestation";
import type { JoinEvidence } from "@ripstop/model";

const MAX_BYTES = 16 * 1024;

/** The proof in a file as it is now; a sentence when it cannot be read. */
export function evidenceFrom(type: JoinEvidence["type"], file: string): Result<JoinEvidence, string> {
  let text: string;
  try {
    if (statSync(file).size > MAX_BYTES) return err(`${file} is larger than ${MAX_BYTES} bytes`);
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    return err(error instanceof Error ? error.message : `${file} cannot be read`);
  }
  if (text === "") return err(`${file} is empty`);
  return ok({ type, text });
}

/** The SHA-256 (hex) of the root certificates that a join token tells its bearer to trust; a sentence when it is none. */
export function tokenPins(text: string): Result<readonly string[], string> {
  const token = parseJoinToken(text);
  return token.ok ? ok(token.value.rootSha256) : token;
}

// The text of a join token: "rsj1.SECRET.PIN[.PIN …]". The secret is 256 random bits, known to its bearer alone (the
// control plane keeps a hash). Each pin is the SHA-256 of a root certificate, so that whoever holds the token also knows
// whom to trust, and needs no other file.

import { createHash, randomBytes } from "node:crypto";

import { err, ok, type Result } from "@ripstop/core";

/** A token that was just made. */
export interface CreatedJoinToken {
  /** For the bearer; shown once. */
  readonly text: string;
  /** What is kept of it: SHA-256 of the secret, hex. */
  readonly secretSha256: string;
}

/** What a token's text holds. */
export interface ParsedJoinToken {
  readonly secretSha256: string;
  /** SHA-256 of the DER of each root certificate to trust, hex. */
  readonly rootSha256: readonly string[];
}

const PREFIX = "rsj1";
const SECRET_BYTES = 32;
const HASH_BYTES = 32;
const MAX_PINS = 8;
const MAX_CHARACTERS = 1024;
const PART = /^[A-Za-z0-9_-]{43}$/;

/** Makes a token that trusts these root certificates (DER, at most 8 are taken, the newest last). */
export function createJoinToken(roots: readonly Uint8Array[]): CreatedJoinToken {
  const secret = randomBytes(SECRET_BYTES);
  const pins = roots.slice(-MAX_PINS).map((der) => createHash("sha256").update(der).digest("base64url"));
  const text = [PREFIX, secret.toString("base64url"), ...pins].join(".");
  return { text, secretSha256: hashOfSecret(secret) };
}

/** Reads a token; a sentence when it is none. White space around it is taken off. */
export function parseJoinToken(text: string): Result<ParsedJoinToken, string> {
  if (text.length > MAX_CHARACTERS) return err(`a join token has at most ${MAX_CHARACTERS} characters`);
  const [prefix, secret, ...pins] = text.trim().split(".");
  if (prefix !== PREFIX || secret === undefined) return err(`a join token begins with "${PREFIX}."`);
  if (pins.length === 0 || pins.length > MAX_PINS || ![secret, ...pins].every((part) => PART.test(part))) {
    return err("the join token is damaged: copy it whole");
  }
  const rootSha256 = pins.map((pin) => Buffer.from(pin, "base64url"));
  if (rootSha256.some(({ length }) => length !== HASH_BYTES)) return err("the join token is damaged: copy it whole");
  return ok({
    secretSha256: hashOfSecret(Buffer.from(secret, "base64url")),
    rootSha256: rootSha256.map((hash) => hash.toString("hex")),
  });
}

/** SHA-256 of a secret, hex. A plain hash is enough for 256 random bits: there is nothing to guess. */
export function hashOfSecret(secret: Uint8Array): string {
  return createHash("sha256").update(secret).digest("hex");
}

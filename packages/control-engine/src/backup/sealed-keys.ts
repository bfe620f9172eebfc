// The authority's keys in a backup: never but encrypted, with a key made from a passphrase (scrypt, AES-256-GCM).

import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { err, ok, type Result } from "@ripstop/core";
import { isRecord } from "@ripstop/resources";

/** Encrypted files; all in base64. */
export interface SealedKeys {
  readonly salt: string;
  readonly nonce: string;
  readonly tag: string;
  readonly data: string;
}

/** Least characters of a passphrase. */
export const MIN_PASSPHRASE = 12;

const SCRYPT = { N: 2 ** 16, r: 8, p: 1, maxmem: 128 * 1024 * 1024 };
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/;
/** Records of what was issued: no keys, and without bound. */
const IS_RECORD = /\.jsonl/;

/** Encrypts the files of the authority's folder. */
export async function sealKeys(directory: string, passphrase: string): Promise<SealedKeys> {
  const files = Object.fromEntries(
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile() && FILE_NAME.test(entry.name) && !IS_RECORD.test(entry.name))
      .map(({ name }) => [name, readFileSync(join(directory, name), "base64")]),
  );
  const [salt, nonce] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv("aes-256-gcm", await keyOf(passphrase, salt), nonce);
  const data = Buffer.concat([cipher.update(JSON.stringify(files)), cipher.final()]);
  return {
    salt: salt.toString("base64"),
    nonce: nonce.toString("base64"),
    tag: cipher.getAuthTag().toString("base64"),
    data: data.toString("base64"),
  };
}

/** Writes the files back (0600) into a folder that has none; a sentence when the passphrase is wrong. */
export async function openKeys(
  { salt, nonce, tag, data }: SealedKeys,
  passphrase: string,
  directory: string,
): Promise<Result<undefined, string>> {
  let files: unknown;
  try {
    const key = await keyOf(passphrase, Buffer.from(salt, "base64"));
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"), { authTagLength: 16 });
    decipher.setAuthTag(Buffer.from(tag, "base64"));
    const text = Buffer.concat([decipher.update(Buffer.from(data, "base64")), decipher.final()]);
    files = JSON.parse(text.toString("utf8"));
  } catch {
    return err("the passphrase is wrong, or the keys are damaged");
  }
  if (!isRecord(files)) return err("the keys are damaged");
  if (existsSync(directory) && readdirSync(directory).length > 0) return err(`${directory} has keys already`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  for (const [name, content] of Object.entries(files)) {
    if (!FILE_NAME.test(name) || typeof content !== "string") return err("the keys are damaged");
    writeFileSync(join(directory, name), Buffer.from(content, "base64"), { mode: 0o600, flag: "wx" });
  }
  return ok(undefined);
}

function keyOf(passphrase: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, 32, SCRYPT, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

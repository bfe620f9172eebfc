// Where the authority's private keys live. Files by default; a KMS or PKCS #11 module implements the same interface
// and never gives the key away: it signs.

import { createPrivateKey, createPublicKey, generateKeyPair, sign, type KeyObject } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { err, ok, type Result } from "@ripstop/core";

/** A private key that can sign and cannot be read. */
export interface SigningKey {
  /** WebCrypto's description of the key. */
  readonly algorithm: { readonly name: "ECDSA"; readonly namedCurve: "P-256" | "P-384" };
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** ECDSA with SHA-256 over `data`, as r and s side by side (IEEE P1363). */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/** Keeps the authority's keys by name. */
export interface KeyStore {
  /** The key, undefined when there is none, or why it cannot be used. */
  load(name: string): Promise<Result<SigningKey | undefined, string>>;
  /** Makes an EC P-256 key under a name, replacing what was there. Durable on return. */
  create(name: string): Promise<Result<SigningKey, string>>;
}

const generate = promisify(generateKeyPair);

class FileKey implements SigningKey {
  readonly algorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
  readonly publicKey: Uint8Array;
  readonly #key: KeyObject;

  constructor(key: KeyObject) {
    this.#key = key;
    this.publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
  }

  sign(data: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      sign("sha256", data, { key: this.#key, dsaEncoding: "ieee-p1363" }, (error, signature) => {
        if (error) reject(error);
        else resolve(signature);
      });
    });
  }
}

/** Keys as PKCS #8 PEM files, mode 0600, in a folder of mode 0700. A key that others may read is refused. */
export class FileKeyStore implements KeyStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async load(name: string): Promise<Result<SigningKey | undefined, string>> {
    const path = this.#path(name);
    try {
      const { mode } = await stat(path);
      if ((mode & 0o077) !== 0)
        return err(`${path} can be read by others (mode ${(mode & 0o777).toString(8)}, not 600)`);
      const key = createPrivateKey(await readFile(path, "utf8"));
      if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
        return err(`${path} is not an EC P-256 key`);
      }
      return ok(new FileKey(key));
    } catch (error) {
      if (isMissing(error)) return ok(undefined);
      return err(`${path}: ${messageOf(error)}`);
    }
  }

  async create(name: string): Promise<Result<SigningKey, string>> {
    try {
      const { privateKey } = await generate("ec", { namedCurve: "P-256" });
      await writePrivateFile(this.#path(name), privateKey.export({ format: "pem", type: "pkcs8" }).toString());
      return ok(new FileKey(privateKey));
    } catch (error) {
      return err(`${this.#path(name)}: ${messageOf(error)}`);
    }
  }

  #path(name: string): string {
    return join(this.#directory, `${name}.key.pem`);
  }
}

/** Makes the folder, and keeps others out of it (mode 0700). Throws a system error. */
export async function makePrivateDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
}

/** Replaces a file atomically with mode 0600; durable on return. Throws a system error. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** True for "no such file". */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** What an unknown thrown value says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

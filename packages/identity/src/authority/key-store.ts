// Where the authority's private keys live. Files by default; a KMS or PKCS #11 module implements the same interface
// and never gives the key away: it signs.

import { createPrivateKey, createPublicKey, generateKeyPair, sign, type KeyObject } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { err, ok, type Result } from "@ripstop/core";

/** The kinds of key that a certificate authority may have. */
export type KeyKind = "ec-p256" | "ec-p384" | "rsa-2048";

/** All kinds, the default first. */
export const keyKinds: readonly KeyKind[] = ["ec-p256", "ec-p384", "rsa-2048"];

/** A private key that can sign and cannot be read. */
export interface SigningKey {
  /** WebCrypto's description of the key. */
  readonly algorithm:
    | { readonly name: "ECDSA"; readonly namedCurve: "P-256" | "P-384" }
    | { readonly name: "RSASSA-PKCS1-v1_5" };
  /** What `sign` hashes with: SHA-384 for P-384, else SHA-256. */
  readonly hash: "SHA-256" | "SHA-384";
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** A signature over `data`; of ECDSA as r and s side by side (IEEE P1363). */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/** Keeps the authority's keys by name. */
export interface KeyStore {
  /** The key, undefined when there is none, or why it cannot be used. */
  load(name: string): Promise<Result<SigningKey | undefined, string>>;
  /** Makes a key (default EC P-256) under a name, replacing what was there. Durable on return. */
  create(name: string, kind?: KeyKind): Promise<Result<SigningKey, string>>;
  /** Destroys a key that is not used any more; one that is not there is no failure. */
  remove(name: string): Promise<Result<undefined, string>>;
}

const generate = promisify(generateKeyPair);

class NodeKey implements SigningKey {
  readonly algorithm: SigningKey["algorithm"];
  readonly hash: SigningKey["hash"];
  readonly publicKey: Uint8Array;
  readonly #key: KeyObject;

  constructor(key: KeyObject, kind: KeyKind) {
    this.#key = key;
    this.publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
    this.hash = kind === "ec-p384" ? "SHA-384" : "SHA-256";
    this.algorithm =
      kind === "rsa-2048"
        ? { name: "RSASSA-PKCS1-v1_5" }
        : { name: "ECDSA", namedCurve: kind === "ec-p384" ? "P-384" : "P-256" };
  }

  sign(data: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const hash = this.hash === "SHA-384" ? "sha384" : "sha256";
      sign(hash, data, { key: this.#key, dsaEncoding: "ieee-p1363" }, (error, signature) => {
        if (error) reject(error);
        else resolve(signature);
      });
    });
  }
}

/** A key in PEM (PKCS #8, PKCS #1 or SEC 1), or why it cannot sign certificates. RSA keys may have 2048 to 4096 bits. */
export function signingKeyOf(pem: string): Result<SigningKey, string> {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    return err(messageOf(error));
  }
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return ok(new NodeKey(key, "ec-p256"));
  if (key.asymmetricKeyType === "ec" && namedCurve === "secp384r1") return ok(new NodeKey(key, "ec-p384"));
  if (key.asymmetricKeyType === "rsa" && modulusLength >= 2048 && modulusLength <= 4096) {
    return ok(new NodeKey(key, "rsa-2048"));
  }
  return err("the key is not EC P-256, EC P-384 or RSA of 2048 to 4096 bits");
}

async function generateKey(kind: KeyKind): Promise<KeyObject> {
  if (kind === "rsa-2048") return (await generate("rsa", { modulusLength: 2048 })).privateKey;
  return (await generate("ec", { namedCurve: kind === "ec-p384" ? "P-384" : "P-256" })).privateKey;
}

/** A new key and its PKCS #8 PEM. */
export async function generateSigningKey(kind: KeyKind): Promise<{ readonly key: SigningKey; readonly pem: string }> {
  const key = await generateKey(kind);
  return { key: new NodeKey(key, kind), pem: key.export({ format: "pem", type: "pkcs8" }).toString() };
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
      const key = signingKeyOf(await readFile(path, "utf8"));
      return key.ok ? key : err(`${path}: ${key.error}`);
    } catch (error) {
      if (isMissing(error)) return ok(undefined);
      return err(`${path}: ${messageOf(error)}`);
    }
  }

  async create(name: string, kind: KeyKind = "ec-p256"): Promise<Result<SigningKey, string>> {
    try {
      const { key, pem } = await generateSigningKey(kind);
      await writePrivateFile(this.#path(name), pem);
      return ok(key);
    } catch (error) {
      return err(`${this.#path(name)}: ${messageOf(error)}`);
    }
  }

  async remove(name: string): Promise<Result<undefined, string>> {
    try {
      await rm(this.#path(name), { force: true });
      return ok(undefined);
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
  await syncDirectory(dirname(path));
}

/** Makes what was renamed in a folder durable. Throws a system error. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** True for "no such file". */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** What an unknown thrown value says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

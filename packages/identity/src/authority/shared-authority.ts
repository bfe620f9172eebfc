// The authority of several control planes: keys of roots and of JWT-SVIDs, and the state, lie sealed in a table that all
// share. Intermediates stay with each of them: a root signs one for every control plane, whose key never leaves its host.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { err, ok, type Result } from "@ripstop/core";

import {
  isAuthorityState,
  readAuthorityState,
  type AuthorityState,
  type AuthorityStateStore,
} from "./authority-state.ts";
import {
  FileKeyStore,
  generateSigningKey,
  isMissing,
  messageOf,
  signingKeyOf,
  type KeyKind,
  type KeyStore,
  type SigningKey,
} from "./key-store.ts";

/** A small map that all control planes share; what `replace` promises is what makes them one authority. */
export interface SharedRecords {
  get(key: string): string | undefined;
  remove(key: string): Promise<void>;
  /** Puts `after` only if the entry is `before` (undefined: not there); true when done. */
  replace(key: string, before: string | undefined, after: string | undefined): Promise<boolean>;
  /** Calls `listener` after every change; returns how to stop. */
  watch(listener: (key: string) => void): () => void;
}

/** What the authority and the issuer of JWT-SVIDs share with their peers. */
export interface SharedAuthority {
  readonly keys: KeyStore;
  readonly state: AuthorityStateStore;
  readonly jwtKeys: SharedText;
  /** Both are there: another control plane has founded the authority. */
  readonly isFounded: boolean;
  /** This control plane is the one that renews what all share. */
  leads(): boolean;
}

/** One text that is shared. */
export interface SharedText {
  /** Undefined when there is none; an error when it cannot be opened with the key. */
  read(): Result<string | undefined, string>;
  /** Replaces what was read or written last; throws when another was faster. */
  write(text: string): Promise<void>;
  watch(listener: () => void): () => void;
}

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = "v1.";
const STATE = "state";
const JWT_KEYS = "jwt-keys";

/** The key under which keys are sealed (AES-256-GCM), and what is derived from it. */
export class SealingKey {
  /** Names the mesh: those who have the same key file belong together. Tells nothing of the key. */
  readonly meshId: string;
  readonly #key: Buffer;

  constructor(secret: Buffer) {
    this.#key = Buffer.from(hkdfSync("sha256", secret, "", "ripstop authority seal", KEY_BYTES));
    this.meshId = `shared-${Buffer.from(hkdfSync("sha256", secret, "", "ripstop mesh id", 16)).toString("hex")}`;
  }

  /** Reads the file: 32 bytes as hexadecimal or Base64 text; not readable by others. */
  static async read(path: string): Promise<Result<SealingKey, string>> {
    try {
      const { mode } = await stat(path);
      if ((mode & 0o077) !== 0)
        return err(`${path} can be read by others (mode ${(mode & 0o777).toString(8)}, not 600)`);
      const text = (await readFile(path, "utf8")).trim();
      const secret = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
      if (secret.length !== KEY_BYTES || (text.length !== 64 && secret.toString("base64") !== text))
        return err(`${path} does not hold 32 bytes as hexadecimal or Base64 text`);
      return ok(new SealingKey(secret));
    } catch (error) {
      return err(messageOf(error));
    }
  }

  /** Seals a text; what is sealed under one name does not open under another. */
  seal(name: string, text: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, iv).setAAD(Buffer.from(name));
    const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return VERSION + Buffer.concat([iv, cipher.getAuthTag(), body]).toString("base64");
  }

  /** Opens it again, or says why that cannot be. */
  open(name: string, sealed: string): Result<string, string> {
    const bytes = Buffer.from(sealed.slice(VERSION.length), "base64");
    if (!sealed.startsWith(VERSION) || bytes.length < IV_BYTES + TAG_BYTES)
      return err(`${name} in the shared store is damaged or of a newer version`);
    try {
      const decipher = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, IV_BYTES))
        .setAAD(Buffer.from(name))
        .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      const body = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES));
      return ok(Buffer.concat([body, decipher.final()]).toString("utf8"));
    } catch {
      return err(`${name} in the shared store does not open with this key file, or was tampered with`);
    }
  }
}

/** Puts together what is shared; `directory` is the home's own folder, for the keys that stay there. */
export function shareAuthority(options: {
  readonly records: SharedRecords;
  readonly seal: SealingKey;
  readonly directory: string;
  leads(): boolean;
}): SharedAuthority {
  const { records, seal, directory } = options;
  const state = new SealedText(records, seal, STATE);
  return {
    keys: new SharedKeyStore(records, seal, new FileKeyStore(directory)),
    state: {
      async read() {
        const text = state.read();
        return text.ok ? parseState(text.value) : text;
      },
      write: (next) => state.write(JSON.stringify(next)),
      watch: (listener) => state.watch(listener),
    },
    jwtKeys: new SealedText(records, seal, JWT_KEYS),
    get isFounded() {
      return records.get(STATE) !== undefined && records.get(JWT_KEYS) !== undefined;
    },
    leads: () => options.leads(),
  };
}

/**
 * Moves the authority of a home that was alone into the shared table, unless another one is there already; true when it
 * did. Fails when the home's files cannot be read.
 */
export async function adoptAuthority(shared: SharedAuthority, directory: string): Promise<Result<boolean, string>> {
  const there = await shared.state.read();
  if (!there.ok) return there;
  const own = await readAuthorityState(join(directory, "authority.json"));
  if (!own.ok) return own;
  if (there.value !== undefined || own.value === undefined) return ok(false);
  if (!(shared.keys instanceof SharedKeyStore)) return ok(false);
  const names = own.value.roots.map(({ name }) => name).filter((name) => name !== "");
  if (names.length === 0) return err("its root came in files of an external authority");
  try {
    const slots: string[] = [];
    const jwtKeys = await readFile(join(directory, "jwt-keys.json"), "utf8").catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (jwtKeys !== undefined) slots.push(...(jwtKeys.match(/jwt-[123]/g) ?? []));
    for (const name of [...names, ...slots]) {
      // oxlint-disable-next-line no-await-in-loop -- a handful at most
      await shared.keys.adopt(name, await readFile(join(directory, `${name}.key.pem`), "utf8"));
    }
    if (jwtKeys !== undefined && shared.jwtKeys.read().ok) await shared.jwtKeys.write(jwtKeys);
    await shared.state.write(own.value);
    return ok(true);
  } catch (error) {
    return err(messageOf(error));
  }
}

function parseState(text: string | undefined): Result<AuthorityState | undefined, string> {
  if (text === undefined) return ok(undefined);
  const value: unknown = JSON.parse(text);
  return isAuthorityState(value) ? ok(value) : err("the state in the shared store is of a newer version");
}

/** A sealed text in the table. */
class SealedText implements SharedText {
  readonly #records: SharedRecords;
  readonly #seal: SealingKey;
  readonly #name: string;
  /** Sealed, as read or written last. */
  #known: string | undefined;

  constructor(records: SharedRecords, seal: SealingKey, name: string) {
    this.#records = records;
    this.#seal = seal;
    this.#name = name;
  }

  read(): Result<string | undefined, string> {
    const sealed = this.#records.get(this.#name);
    const text = sealed === undefined ? ok(undefined) : this.#seal.open(this.#name, sealed);
    if (text.ok) this.#known = sealed;
    return text;
  }

  async write(text: string): Promise<void> {
    const sealed = this.#seal.seal(this.#name, text);
    const isDone = await this.#records.replace(this.#name, this.#known, sealed);
    if (!isDone) throw new Error("another control plane changed it at the same time; try again");
    this.#known = sealed;
  }

  watch(listener: () => void): () => void {
    return this.#records.watch((key) => {
      if (key === this.#name) listener();
    });
  }
}

/** Keys of roots and of tokens sealed in the table, those of intermediates in files. */
class SharedKeyStore implements KeyStore {
  readonly #records: SharedRecords;
  readonly #seal: SealingKey;
  readonly #own: KeyStore;

  constructor(records: SharedRecords, seal: SealingKey, own: KeyStore) {
    this.#records = records;
    this.#seal = seal;
    this.#own = own;
  }

  async load(name: string): Promise<Result<SigningKey | undefined, string>> {
    if (isOwn(name)) return this.#own.load(name);
    const sealed = this.#records.get(recordOf(name));
    if (sealed === undefined) return ok(undefined);
    const pem = this.#seal.open(recordOf(name), sealed);
    return pem.ok ? signingKeyOf(pem.value) : pem;
  }

  async create(name: string, kind?: KeyKind): Promise<Result<SigningKey, string>> {
    if (isOwn(name)) return this.#own.create(name, kind);
    const { key, pem } = await generateSigningKey(kind ?? "ec-p256");
    try {
      await this.adopt(name, pem);
      return ok(key);
    } catch (error) {
      return err(messageOf(error));
    }
  }

  /** Puts a key (PKCS #8 PEM) that was made elsewhere under a name. Throws when another was faster. */
  async adopt(name: string, pem: string): Promise<void> {
    const record = recordOf(name);
    const isDone = await this.#records.replace(record, this.#records.get(record), this.#seal.seal(record, pem));
    if (!isDone) throw new Error(`another control plane made ${name} at the same time`);
  }

  async remove(name: string): Promise<Result<undefined, string>> {
    if (isOwn(name)) return this.#own.remove(name);
    try {
      await this.#records.remove(recordOf(name));
      return ok(undefined);
    } catch (error) {
      return err(messageOf(error));
    }
  }
}

function isOwn(name: string): boolean {
  return name.startsWith("intermediate");
}

function recordOf(name: string): string {
  return `key/${name}`;
}

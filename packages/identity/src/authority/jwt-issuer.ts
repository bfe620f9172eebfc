// Issues JWT-SVIDs (SPIFFE JWT-SVID standard) with keys of its own, apart from those of certificates. A key is published
// a day before it signs and stays published until the last token that it signed has expired, so that no validator that
// refreshes its bundle daily ever meets a key that it does not know.

import { createHash, createPublicKey, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { err, ok, type Clock, type Result, type Timer } from "@ripstop/core";
import { metricNames, type Logger, type MetricRegistry } from "@ripstop/telemetry";

import {
  jwtAudienceRefused,
  jwtKeyUnusable,
  identityNotIssuable,
  issuanceNotLogged,
  ttlOutOfRange,
} from "../errors.ts";
import { publicJwk, type JwtAuthority as PublishedJwtKey } from "../jwt/spiffe-bundle.ts";
import { parseSpiffeId } from "../spiffe-id.ts";
import type { IssueRefusal } from "./authority.ts";
import { refusal } from "./csr-check.ts";
import { IssuanceLog } from "./issuance-log.ts";
import {
  FileKeyStore,
  isMissing,
  makePrivateDirectory,
  messageOf,
  writePrivateFile,
  type KeyStore,
  type SigningKey,
} from "./key-store.ts";
import type { SharedAuthority } from "./shared-authority.ts";

/** An issued JWT-SVID. */
export interface IssuedJwtSvid {
  readonly spiffeId: string;
  /** JWS compact serialization. A bearer token: never log it. */
  readonly token: string;
  readonly expiresAtMs: number;
}

/** Issues JWT-SVIDs of one trust domain. */
export interface JwtIssuer {
  /** A token for `spiffeId` that only `audience` may accept; `ttlMs` is 10 s … 24 h, default 5 min. */
  issue(spiffeId: string, audience: readonly string[], ttlMs?: number): Promise<Result<IssuedJwtSvid, IssueRefusal>>;
  /** The keys to publish: the one that signs, the next one, and those whose tokens may still live. */
  keys(): readonly PublishedJwtKey[];
  /** Calls `listener` after every change of `keys()`; returns how to stop. */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

/** How to open the issuer. */
export interface JwtIssuerOptions {
  /** Folder for keys and the log; made with mode 0700. */
  readonly directory: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  /** Default: files in `directory`. */
  readonly keyStore?: KeyStore;
  /** What several control planes have in common, in place of files. */
  readonly shared?: Pick<SharedAuthority, "keys" | "jwtKeys" | "leads">;
  readonly logger?: Logger;
  readonly metrics?: MetricRegistry;
  /** Asked before anything is signed; a refusal is given to the caller. Default: everyone may. */
  mayIssue?(spiffeId: string): Result<undefined, IssueRefusal>;
}

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const MIN_TTL_MS = 10 * SECOND;
const MAX_TTL_MS = 24 * HOUR;
const DEFAULT_TTL_MS = 300 * SECOND;
/** How long a key signs. */
const SIGNING_MS = 30 * DAY;
/** How long before it signs it is published. */
const AHEAD_MS = DAY;
/** How long after it signed last it stays published: the longest token, and clocks that differ. */
const AFTER_MS = MAX_TTL_MS + HOUR;
const CHECK_MS = HOUR;
const MAX_AUDIENCES = 8;
const AUDIENCE = /^[\x21-\x7e]{1,512}$/;
/** Places in the key store: the key that signed before, the one that signs, the next one. */
const SLOTS = ["jwt-1", "jwt-2", "jwt-3"] as const;

/** One key on record in jwt-keys.json. */
interface KeyRecord {
  readonly slot: string;
  readonly kid: string;
  /** When it signs first. */
  readonly fromMs: number;
}

interface HeldKey extends KeyRecord {
  readonly key: SigningKey;
  readonly published: PublishedJwtKey;
}

/** Opens the issuer in `directory`, making what is missing; fails with RS2041. */
export async function openJwtIssuer(options: JwtIssuerOptions): Promise<Result<JwtIssuer, IssueRefusal>> {
  let log: IssuanceLog;
  try {
    await makePrivateDirectory(options.directory);
    log = await IssuanceLog.open(join(options.directory, "issued-jwt.jsonl"));
  } catch (error) {
    return err(refusal(jwtKeyUnusable, messageOf(error)));
  }
  const issuer = new KeyedIssuer(options, log);
  const loaded = await issuer.load();
  if (loaded.ok) return ok(issuer);
  await issuer.close();
  return err(refusal(jwtKeyUnusable, loaded.error));
}

class KeyedIssuer implements JwtIssuer {
  readonly #options: JwtIssuerOptions;
  readonly #store: KeyStore;
  readonly #log: IssuanceLog;
  readonly #listeners = new Set<() => void>();
  /** By the time from which they sign. */
  #keys: readonly HeldKey[] = [];
  #timer: Timer | undefined;
  #unwatch: (() => void) | undefined;
  #rotating: Promise<void> | undefined;

  constructor(options: JwtIssuerOptions, log: IssuanceLog) {
    this.#options = options;
    this.#store = options.shared?.keys ?? options.keyStore ?? new FileKeyStore(options.directory);
    this.#log = log;
  }

  async load(): Promise<Result<undefined, string>> {
    try {
      const held = await this.#readKeys();
      if (!held.ok) return held;
      this.#keys = held.value;
      const rotated = await this.#advance();
      if (!rotated.ok) return rotated;
    } catch (error) {
      return err(messageOf(error));
    }
    this.#timer = this.#options.clock.every(CHECK_MS, () => void this.#rotate());
    this.#unwatch = this.#options.shared?.jwtKeys.watch(() => void this.#follow());
    return ok(undefined);
  }

  async #readKeys(): Promise<Result<readonly HeldKey[], string>> {
    const records = await this.#readRecords();
    if (!records.ok) return records;
    const held: HeldKey[] = [];
    for (const record of records.value) {
      // oxlint-disable-next-line no-await-in-loop -- three at most
      const key = await this.#store.load(record.slot);
      if (!key.ok) return key;
      // A crash between a new key and its record leaves another key in the slot: it never signed anything.
      if (key.value === undefined || kidOf(key.value) !== record.kid) continue;
      held.push(hold(record, key.value));
    }
    return ok(held.sort((a, b) => a.fromMs - b.fromMs));
  }

  /** Takes over the keys of another control plane; the own changes come back here too. */
  async #follow(): Promise<void> {
    await this.#rotating;
    const held = await this.#readKeys();
    if (!held.ok) {
      this.#options.logger?.error("shared keys of JWT-SVIDs not taken over", { cause: held.error });
      return;
    }
    const kids = (keys: readonly HeldKey[]): string => keys.map(({ kid, fromMs }) => `${kid} ${fromMs}`).join();
    if (held.value.length === 0 || kids(held.value) === kids(this.#keys)) return;
    this.#keys = held.value;
    for (const listener of [...this.#listeners]) listener();
  }

  async issue(
    spiffeId: string,
    audience: readonly string[],
    ttlMs: number = DEFAULT_TTL_MS,
  ): Promise<Result<IssuedJwtSvid, IssueRefusal>> {
    const result = await this.#issue(spiffeId, audience, ttlMs);
    const { metrics } = this.#options;
    const { IDENTITY_JWT_ISSUED: issued, IDENTITY_JWT_REFUSED: refused } = metricNames;
    if (result.ok) metrics?.counter(issued.name, issued.help).add(1);
    else metrics?.counter(refused.name, refused.help, { code: result.error.code }).add(1);
    return result;
  }

  async #issue(
    spiffeId: string,
    audience: readonly string[],
    ttlMs: number,
  ): Promise<Result<IssuedJwtSvid, IssueRefusal>> {
    const { trustDomain, clock } = this.#options;
    const id = parseSpiffeId(spiffeId);
    if (!id.ok) return err(refusal(identityNotIssuable, id.error));
    if (id.value.trustDomain !== trustDomain)
      return err(refusal(identityNotIssuable, `the trust domain here is ${trustDomain}`));
    if (id.value.path === "") return err(refusal(identityNotIssuable, "the id of a trust domain is not a workload's"));
    if (audience.length === 0) return err(refusal(jwtAudienceRefused, "no audience was named"));
    if (audience.length > MAX_AUDIENCES)
      return err(refusal(jwtAudienceRefused, `${audience.length} audiences were named`));
    if (!audience.every((name) => AUDIENCE.test(name)))
      return err(refusal(jwtAudienceRefused, "an audience is empty, too long or not printable ASCII"));
    if (!(ttlMs >= MIN_TTL_MS && ttlMs <= MAX_TTL_MS)) return err(refusal(ttlOutOfRange, `${ttlMs} ms were asked for`));

    const allowed = this.#options.mayIssue?.(spiffeId) ?? ok(undefined);
    if (!allowed.ok) return allowed;

    await this.#rotate();
    const nowMs = clock.nowMs();
    const signer = this.#signer(nowMs);
    if (signer === undefined) return err(refusal(jwtKeyUnusable, "no key is in force"));
    const issuedAtS = Math.floor(nowMs / SECOND);
    const expiresAtS = Math.floor((nowMs + ttlMs) / SECOND);
    const tokenId = randomBytes(16).toString("hex");
    const input = `${encode({ alg: "ES256", kid: signer.kid, typ: "JWT" })}.${encode({
      sub: spiffeId,
      aud: [...new Set(audience)],
      exp: expiresAtS,
      iat: issuedAtS,
      jti: tokenId,
    })}`;
    try {
      const signature = await signer.key.sign(Buffer.from(input, "ascii"));
      await this.#log.append({
        timeMs: nowMs,
        kind: "jwt",
        spiffeId,
        serialNumber: tokenId,
        notBeforeMs: issuedAtS * SECOND,
        notAfterMs: expiresAtS * SECOND,
        keySha256: sha256(signer.key.publicKey),
        audience,
      });
      const token = `${input}.${Buffer.from(signature).toString("base64url")}`;
      return ok({ spiffeId, token, expiresAtMs: expiresAtS * SECOND });
    } catch (error) {
      return err(refusal(issuanceNotLogged, messageOf(error)));
    }
  }

  keys(): readonly PublishedJwtKey[] {
    return this.#keys.map(({ published }) => published);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#timer?.clear();
    this.#unwatch?.();
    this.#listeners.clear();
    await this.#rotating;
    await this.#log.close();
  }

  /** The newest key whose time has come. */
  #signer(nowMs: number): HeldKey | undefined {
    return this.#keys.findLast(({ fromMs }) => fromMs <= nowMs) ?? this.#keys[0];
  }

  /** Brings the keys up to date. A failure is logged and tried again: the keys that are there go on. */
  #rotate(): Promise<void> {
    const fail = (cause: string): void => this.#options.logger?.error("keys of JWT-SVIDs not rotated", { cause });
    this.#rotating ??= this.#advance()
      .then(
        (done) => (done.ok ? undefined : fail(done.error)),
        (error: unknown) => fail(messageOf(error)),
      )
      .finally(() => (this.#rotating = undefined));
    return this.#rotating;
  }

  async #advance(): Promise<Result<undefined, string>> {
    const nowMs = this.#options.clock.nowMs();
    const before = this.#keys;
    // One of several does it for all.
    if (before.length > 0 && this.#options.shared?.leads() === false) return ok(undefined);
    // A key stays while it signs, will sign, or its tokens may live: until AFTER_MS past the start of its successor.
    let keys = before.filter((_, index) => {
      const successor = before[index + 1];
      return successor === undefined || nowMs < successor.fromMs + AFTER_MS;
    });
    const last = keys.at(-1);
    if (last === undefined) {
      const made = await this.#make(keys, nowMs);
      if (!made.ok) return made;
      keys = [made.value];
    } else if (nowMs >= last.fromMs + SIGNING_MS - AHEAD_MS && keys.length < SLOTS.length) {
      // After a long stop its time may have been long ago: it still is published ahead, and the old key signs meanwhile.
      const made = await this.#make(keys, Math.max(last.fromMs + SIGNING_MS, nowMs + AHEAD_MS));
      if (!made.ok) return made;
      keys = [...keys, made.value];
    }
    if (keys.length === before.length && keys.every((key, index) => key === before[index])) return ok(undefined);
    await this.#writeRecords(keys);
    this.#keys = keys;
    for (const listener of [...this.#listeners]) listener();
    return ok(undefined);
  }

  async #make(keys: readonly HeldKey[], fromMs: number): Promise<Result<HeldKey, string>> {
    const slot = SLOTS.find((name) => keys.every((key) => key.slot !== name));
    if (slot === undefined) return err("every place for a key is taken");
    const key = await this.#store.create(slot);
    if (!key.ok) return key;
    if (key.value.algorithm.name !== "ECDSA" || key.value.algorithm.namedCurve !== "P-256")
      return err("the key store made a key that is not P-256");
    return ok(hold({ slot, kid: kidOf(key.value), fromMs }, key.value));
  }

  async #readRecords(): Promise<Result<readonly KeyRecord[], string>> {
    let text: string;
    const shared = this.#options.shared?.jwtKeys.read();
    if (shared?.ok === false) return shared;
    if (shared !== undefined && shared.value === undefined) return ok([]);
    try {
      text = shared?.value ?? (await readFile(this.#recordsPath(), "utf8"));
    } catch (error) {
      return isMissing(error) ? ok([]) : err(messageOf(error));
    }
    try {
      const records: unknown = JSON.parse(text);
      if (Array.isArray(records) && records.length <= SLOTS.length && records.every(isKeyRecord)) return ok(records);
    } catch {
      // Told below.
    }
    return err(`${this.#recordsPath()} is damaged`);
  }

  #writeRecords(keys: readonly HeldKey[]): Promise<void> {
    const records = keys.map(({ slot, kid, fromMs }): KeyRecord => ({ slot, kid, fromMs }));
    const text = `${JSON.stringify(records)}\n`;
    return this.#options.shared?.jwtKeys.write(text) ?? writePrivateFile(this.#recordsPath(), text);
  }

  #recordsPath(): string {
    return join(this.#options.directory, "jwt-keys.json");
  }
}

function hold(record: KeyRecord, key: SigningKey): HeldKey {
  const jwk = publicJwk(createPublicKey({ key: Buffer.from(key.publicKey), format: "der", type: "spki" }));
  return { ...record, key, published: { kid: record.kid, jwk } };
}

/** Names a key by its content. */
function kidOf(key: SigningKey): string {
  return sha256(key.publicKey).slice(0, 32);
}

function isKeyRecord(value: unknown): value is KeyRecord {
  if (typeof value !== "object" || value === null) return false;
  const { slot, kid, fromMs } = value as Partial<Record<keyof KeyRecord, unknown>>;
  return (
    typeof slot === "string" &&
    SLOTS.some((name) => name === slot) &&
    typeof kid === "string" &&
    typeof fromMs === "number"
  );
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

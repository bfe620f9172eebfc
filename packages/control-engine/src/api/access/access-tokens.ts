// API tokens: a role for programs, kept as hashes, with an end.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { AccessTokenRequest, AccessTokenView } from "@ripstop/model";

import { accessTokensFull, badRequest, noSuchAccessToken } from "../../errors.ts";
import type { Failure } from "../../failure.ts";
import type { Table } from "../../store/store.ts";
import { TokenTable, type TokenRecord } from "../../store/token-table.ts";
import type { Grant } from "./api-caller.ts";

/** A token as it is kept, under its id. */
export interface AccessTokenRecord extends TokenRecord {
  readonly name: string;
  readonly role: Grant["role"];
  /** Absent: the whole mesh. */
  readonly namespaces?: readonly string[];
  /** SHA-256 of the secret, hex. The secret has 256 random bits: nothing is to be guessed. */
  readonly secretSha256: string;
  readonly createdBy: string;
}

/** Settings of AccessTokens. */
export interface AccessTokensOptions {
  readonly clock: Clock;
  readonly table: Table<AccessTokenRecord>;
}

const FORM = /^ripstop_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;
/** Compared with when there is no such token, so that both cases take the same time. */
const NOTHING = Buffer.alloc(32);

/** The tokens of a mesh. */
export class AccessTokens {
  readonly #clock: Clock;
  readonly #tokens: TokenTable<AccessTokenRecord>;

  constructor({ clock, table }: AccessTokensOptions) {
    this.#clock = clock;
    this.#tokens = new TokenTable(clock, table);
  }

  /** Whether a text has the form of a token. */
  static isToken(text: string): boolean {
    return text.startsWith("ripstop_");
  }

  /** Makes a token; its text is not kept. */
  async create(
    request: AccessTokenRequest,
    createdBy: string,
  ): Promise<Result<AccessTokenView & { readonly token: string }, Failure>> {
    const { name, role, namespaces, ttlMs } = request;
    if (role === "admin" && namespaces !== undefined) {
      return err({ kind: badRequest, message: "an admin is one of the whole mesh: leave namespaces out" });
    }
    const nowMs = this.#clock.nowMs();
    const [id, secret] = [randomBytes(6).toString("hex"), randomBytes(32).toString("base64url")];
    const record: AccessTokenRecord = {
      name,
      role,
      ...(namespaces === undefined ? {} : { namespaces }),
      secretSha256: hashOf(secret).toString("hex"),
      createdBy,
      createdMs: nowMs,
      expiresMs: nowMs + ttlMs,
    };
    if (!(await this.#tokens.add(id, record))) {
      return err({ kind: accessTokensFull, message: `${this.#tokens.size} are kept, which is the limit` });
    }
    return ok({ ...this.#view(id, record), token: `ripstop_${id}_${secret}` });
  }

  /** The tokens, oldest first. */
  list(): readonly AccessTokenView[] {
    return this.#tokens.list().map(([id, record]) => this.#view(id, record));
  }

  /** Makes a token useless at once. */
  async revoke(id: string): Promise<Result<AccessTokenView, Failure>> {
    const record = this.#tokens.get(id);
    if (record === undefined) {
      return err({ kind: noSuchAccessToken, message: `no token has the id ${JSON.stringify(id.slice(0, 64))}` });
    }
    await this.#tokens.remove(id);
    return ok(this.#view(id, record));
  }

  /** The id and record of the token with this text; undefined when there is none or it is over. */
  find(text: string): { readonly id: string; readonly record: AccessTokenRecord } | undefined {
    const [, id = "", secret = ""] = FORM.exec(text) ?? [];
    const record = this.#tokens.get(id);
    const kept = record === undefined ? NOTHING : Buffer.from(record.secretSha256, "hex");
    const isSame = timingSafeEqual(hashOf(secret), kept);
    return record !== undefined && isSame && this.#isReady(record) ? { id, record } : undefined;
  }

  /** What the token with this id allows now. */
  grantsOf(id: string): readonly Grant[] {
    const record = this.#tokens.get(id);
    if (record === undefined || !this.#isReady(record)) return [];
    return [{ role: record.role, namespaces: record.namespaces }];
  }

  #isReady({ expiresMs }: AccessTokenRecord): boolean {
    return this.#clock.nowMs() < expiresMs;
  }

  #view(id: string, record: AccessTokenRecord): AccessTokenView {
    const { name, role, namespaces, createdBy, createdMs, expiresMs } = record;
    return {
      id,
      name,
      role,
      ...(namespaces === undefined ? {} : { namespaces }),
      createdBy,
      createdMs,
      expiresMs,
      state: this.#isReady(record) ? "ready" : "expired",
    };
  }
}

function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

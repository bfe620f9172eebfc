// One-time join tokens: made for one identity, kept as hashes, good for one key, once.

import { randomBytes } from "node:crypto";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { nodeSpiffeId, workloadSpiffeId } from "@ripstop/identity";
import { createJoinToken, parseJoinToken } from "@ripstop/identity/attestation";
import type { JoinTokenRequest, JoinTokenView } from "@ripstop/model";
import { RESERVED_NAMESPACE } from "@ripstop/resources";

import {
  badRequest,
  identityReserved,
  joinOtherIdentity,
  joinTokensFull,
  joinTokenExpired,
  joinTokenUnknown,
  joinTokenUsed,
  noSuchJoinToken,
} from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Table } from "../store/store.ts";
import { TokenTable, type TokenRecord } from "../store/token-table.ts";
import { describeWanted, type Attested, type Attestor, type Wanted } from "./attestor.ts";

/** A token as it is kept, under the SHA-256 of its secret. */
export interface JoinTokenRecord extends TokenRecord {
  /** Public, to name it by. */
  readonly id: string;
  readonly wanted: Wanted;
  /** 0: not used yet. */
  readonly usedMs: number;
  /** SHA-256 of the key (SPKI) that it was used with; "" before. */
  readonly usedKeySha256: string;
}

/** Settings of JoinTokens. */
export interface JoinTokensOptions {
  readonly clock: Clock;
  readonly trustDomain: string;
  readonly table: Table<JoinTokenRecord>;
  /** Root certificates (DER) that a new token pins. */
  roots(): readonly Uint8Array[];
}

/** A join whose answer was lost may be repeated with the same key for so long. */
const REPEAT_MS = 10 * 60_000;

/** The tokens of a mesh. */
export class JoinTokens implements Attestor {
  readonly type = "token";
  readonly #options: JoinTokensOptions;
  /** By the hash of the secret. */
  readonly #tokens: TokenTable<JoinTokenRecord>;

  constructor(options: JoinTokensOptions) {
    this.#options = options;
    this.#tokens = new TokenTable(options.clock, options.table);
  }

  /** Makes a token; its text is not kept. */
  async create(request: JoinTokenRequest): Promise<Result<JoinTokenView & { readonly token: string }, Failure>> {
    const wanted = wantedOf(request);
    if (!wanted.ok) return wanted;
    const nowMs = this.#options.clock.nowMs();
    const { text, secretSha256 } = createJoinToken(this.#options.roots());
    const record: JoinTokenRecord = {
      id: randomBytes(6).toString("hex"),
      wanted: wanted.value,
      createdMs: nowMs,
      expiresMs: nowMs + request.ttlMs,
      usedMs: 0,
      usedKeySha256: "",
    };
    if (!(await this.#tokens.add(secretSha256, record))) {
      return err({ kind: joinTokensFull, message: `${this.#tokens.size} are kept, which is the limit` });
    }
    return ok({ ...this.#view(record), token: text });
  }

  /** The tokens, oldest first. */
  list(): readonly JoinTokenView[] {
    return this.#tokens.list().map(([, record]) => this.#view(record));
  }

  /** Removes a token by its id. */
  async revoke(id: string): Promise<Result<JoinTokenView, Failure>> {
    for (const [hash, record] of this.#tokens.list()) {
      if (record.id !== id) continue;
      await this.#tokens.remove(hash);
      return ok(this.#view(record));
    }
    return err({ kind: noSuchJoinToken, message: `no token has the id ${JSON.stringify(id.slice(0, 64))}` });
  }

  /** Uses a token up, durably, before anything is issued for it. */
  async attest(evidence: string, wanted: Wanted, keySha256: string): Promise<Result<Attested, Failure>> {
    const parsed = parseJoinToken(evidence);
    if (!parsed.ok) return err({ kind: joinTokenUnknown, message: parsed.error });
    const hash = parsed.value.secretSha256;
    const record = this.#tokens.get(hash);
    if (record === undefined) return err({ kind: joinTokenUnknown, message: "there is no such token here" });
    const nowMs = this.#options.clock.nowMs();
    if (record.usedMs !== 0) {
      const isRepeated = record.usedKeySha256 === keySha256 && nowMs - record.usedMs < REPEAT_MS;
      if (!isRepeated || !isSame(record.wanted, wanted)) {
        return err({
          kind: joinTokenUsed,
          message: `token ${record.id} for ${describeWanted(record.wanted)} was used at ${new Date(record.usedMs).toISOString()}`,
        });
      }
      return ok({ method: `token ${record.id}`, release: () => Promise.resolve() });
    }
    if (nowMs >= record.expiresMs) {
      return err({
        kind: joinTokenExpired,
        message: `token ${record.id} ended at ${new Date(record.expiresMs).toISOString()}`,
      });
    }
    if (!isSame(record.wanted, wanted)) {
      return err({
        kind: joinOtherIdentity,
        message: `token ${record.id} is for ${describeWanted(record.wanted)}, not for ${describeWanted(wanted)}`,
      });
    }
    // Of two joins at the same moment one is refused, on whichever control planes they are.
    if (!(await this.#tokens.replace(hash, record, { ...record, usedMs: nowMs, usedKeySha256: keySha256 }))) {
      return err({ kind: joinTokenUsed, message: `token ${record.id} was used or revoked at this very moment` });
    }
    return ok({ method: `token ${record.id}`, release: () => this.#tokens.put(hash, record) });
  }

  #view({ id, wanted, createdMs, expiresMs, usedMs }: JoinTokenRecord): JoinTokenView {
    const { trustDomain, clock } = this.#options;
    const spiffeId =
      wanted.kind === "node"
        ? nodeSpiffeId(trustDomain, wanted.name)
        : workloadSpiffeId(trustDomain, wanted.namespace, wanted.serviceAccount);
    const state = usedMs !== 0 ? "used" : clock.nowMs() >= expiresMs ? "expired" : "ready";
    return { id, spiffeId, createdMs, expiresMs, usedMs, state };
  }
}

function wantedOf({ namespace, serviceAccount, node }: JoinTokenRequest): Result<Wanted, Failure> {
  if (node !== undefined && namespace === undefined && serviceAccount === undefined) {
    return ok({ kind: "node", name: node });
  }
  if (node !== undefined || namespace === undefined || serviceAccount === undefined) {
    return err({ kind: badRequest, message: "give either node, or namespace and serviceAccount" });
  }
  if (namespace === RESERVED_NAMESPACE)
    return err({ kind: identityReserved, message: `${namespace}/${serviceAccount}` });
  return ok({ kind: "workload", namespace, serviceAccount });
}

function isSame(a: Wanted, b: Wanted): boolean {
  return describeWanted(a) === describeWanted(b);
}

// The signing keys of JWT issuers: found by OpenID Connect Discovery 1.0, kept, and fetched again when a token names a
// key that is not known. Bounded in size, time and rate, because issuers are other people's servers.

import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { JSONWebKeySet } from "jose";

/** Where an issuer's keys are. */
export interface IssuerSource {
  /** The `iss` of its tokens, and where discovery starts. */
  readonly issuer: string;
  /** Given: no discovery. */
  readonly jwksUri?: string;
  /** Given: nothing is fetched. */
  readonly jwks?: JSONWebKeySet;
  /** Certificate authorities of the issuer's server, PEM; default: those of the system. */
  readonly caPem?: string;
}

const MAX_BODY_BYTES = 256 * 1024;
const TIMEOUT_MS = 5_000;
/** Keys are good for so long without a look at the issuer. */
const FRESH_MS = 10 * 60_000;
/** When the issuer does not answer, its last keys are good for so long. */
const STALE_MS = 24 * 3_600_000;
/** An unknown key id makes the keys be fetched again, at most so often. */
const AGAIN_MS = 10_000;

interface Kept {
  readonly keys: JSONWebKeySet;
  readonly fetchedMs: number;
}

/** The keys of issuers. */
export class IssuerKeys {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();
  readonly #tried = new Map<string, number>();
  readonly #fetching = new Map<string, Promise<Result<JSONWebKeySet, string>>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The keys of an issuer. `isUnknown`: the keys kept do not have the one that is needed; they are then fetched again,
   * if that was not just done. A sentence when there are none.
   */
  async get(source: IssuerSource, isUnknown: boolean = false): Promise<Result<JSONWebKeySet, string>> {
    if (source.jwks !== undefined) return ok(source.jwks);
    const id = JSON.stringify([source.issuer, source.jwksUri, source.caPem]);
    const kept = this.#kept.get(id);
    const nowMs = this.#clock.monotonicMs();
    if (kept !== undefined && !isUnknown && nowMs - kept.fetchedMs < FRESH_MS) return ok(kept.keys);
    const tried = this.#tried.get(id);
    const mayTry = tried === undefined || nowMs - tried >= AGAIN_MS;
    const running = this.#fetching.get(id);
    if (running === undefined && !mayTry) {
      return kept === undefined ? err("its keys could not be fetched a moment ago") : ok(kept.keys);
    }
    const fetched = await (running ?? this.#start(id, source));
    if (fetched.ok) return fetched;
    return kept !== undefined && nowMs - kept.fetchedMs < STALE_MS ? ok(kept.keys) : fetched;
  }

  #start(id: string, source: IssuerSource): Promise<Result<JSONWebKeySet, string>> {
    this.#tried.set(id, this.#clock.monotonicMs());
    const fetching = fetchKeys(source).then((keys) => {
      this.#fetching.delete(id);
      if (keys.ok) this.#kept.set(id, { keys: keys.value, fetchedMs: this.#clock.monotonicMs() });
      return keys;
    });
    this.#fetching.set(id, fetching);
    return fetching;
  }
}

async function fetchKeys(source: IssuerSource): Promise<Result<JSONWebKeySet, string>> {
  let uri = source.jwksUri;
  if (uri === undefined) {
    const found = await fetchJson(`${source.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, source.caPem);
    if (!found.ok) return found;
    const { value } = found;
    if (!isObject(value) || value["issuer"] !== source.issuer) {
      return err(`the discovery document is of another issuer than ${source.issuer}`);
    }
    if (typeof value["jwks_uri"] !== "string") return err("the discovery document names no jwks_uri");
    uri = value["jwks_uri"];
  }
  const keys = await fetchJson(uri, source.caPem);
  if (!keys.ok) return keys;
  return isKeySet(keys.value) ? ok(keys.value) : err(`${uri} is no JWK set`);
}

/** GET without redirects; HTTPS, or HTTP to this machine only. */
function fetchJson(address: string, caPem: string | undefined): Promise<Result<unknown, string>> {
  if (!URL.canParse(address)) return Promise.resolve(err(`${address} is no URL`));
  const url = new URL(address);
  const isLocal = ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal)) {
    return Promise.resolve(err(`${address} is not https`));
  }
  return new Promise((resolve) => {
    const fail = (reason: string): void => resolve(err(`${address}: ${reason}`));
    const options = { agent: false, timeout: TIMEOUT_MS, headers: { accept: "application/json" } };
    const outgoing =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, ...(caPem === undefined ? {} : { ca: caPem }) })
        : httpRequest(url, options);
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    outgoing.on("error", (error) => fail(error.message));
    outgoing.on("response", (incoming) => {
      if (incoming.statusCode !== 200) {
        outgoing.destroy();
        fail(`status ${incoming.statusCode}`);
        return;
      }
      const chunks: Buffer[] = [];
      let length = 0;
      incoming.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_BODY_BYTES) outgoing.destroy(new Error(`more than ${MAX_BODY_BYTES} bytes`));
        else chunks.push(chunk);
      });
      incoming.on("error", (error) => fail(error.message));
      incoming.on("end", () => {
        try {
          resolve(ok(JSON.parse(Buffer.concat(chunks).toString("utf8"))));
        } catch {
          fail("the answer is not JSON");
        }
      });
    });
    outgoing.end();
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  return isObject(value) && Array.isArray(value["keys"]) && value["keys"].every(isObject);
}

// The door of the API's TLS listener: bearer tokens, and how often one caller or one address may knock.

import type { IncomingMessage } from "node:http";

import { err, ok, type Clock, type Result } from "@ripstop/core";

import { loginLimited, notAuthenticated, tooManyRequests } from "../../errors.ts";
import type { Failure } from "../../failure.ts";
import { TokenBuckets } from "../../token-buckets.ts";
import { AccessTokens } from "./access-tokens.ts";
import type { ApiCaller } from "./api-caller.ts";
import type { OidcLogins } from "./oidc-logins.ts";

/** Says who sends a request. */
export interface FrontDoor {
  /** Who calls, or why nobody is let in. */
  identify(request: IncomingMessage): Promise<Result<ApiCaller, Failure>>;
  /** A request begins; returns what to call at its end, or why it may not begin. */
  enter(caller: ApiCaller): Result<() => void, Failure>;
}

/** A door behind which there is only one caller: a socket that only its owner can open. */
export function doorOf(caller: ApiCaller): FrontDoor {
  return { identify: async () => ok(caller), enter: () => ok(() => undefined) };
}

const REQUESTS = { burst: 200, perSecond: 50 };
const REFUSALS = { burst: 30, perSecond: 0.5 };
const MAX_AT_ONCE = 32;
const MAX_AUTHORIZATION = 17_000;

/** Settings of a BearerDoor. */
export interface BearerDoorOptions {
  readonly clock: Clock;
  readonly tokens: AccessTokens;
  readonly logins: OidcLogins;
}

/** Lets in who has an API token or an ID token. */
export class BearerDoor implements FrontDoor {
  readonly #options: BearerDoorOptions;
  readonly #requests: TokenBuckets;
  readonly #refusals: TokenBuckets;
  readonly #open = new Map<string, number>();

  constructor(options: BearerDoorOptions) {
    this.#options = options;
    this.#requests = new TokenBuckets(options.clock, REQUESTS);
    this.#refusals = new TokenBuckets(options.clock, REFUSALS);
  }

  async identify(request: IncomingMessage): Promise<Result<ApiCaller, Failure>> {
    const from = request.socket.remoteAddress ?? "";
    if (!this.#refusals.has(from)) {
      return err({ kind: loginLimited, message: `credentials from ${from} were refused too often` });
    }
    const found = await this.#bearer(request.headers.authorization, from);
    if (found.ok) return found;
    this.#refusals.take(from);
    return err({ kind: notAuthenticated, message: found.error });
  }

  enter(caller: ApiCaller): Result<() => void, Failure> {
    const { name } = caller;
    if (!this.#requests.tryTake(name)) {
      return err({ kind: tooManyRequests, message: `${name} may ask ${REQUESTS.perSecond} times a second` });
    }
    const open = this.#open.get(name) ?? 0;
    if (open >= MAX_AT_ONCE) {
      return err({ kind: tooManyRequests, message: `${name} has ${open} requests under way` });
    }
    this.#open.set(name, open + 1);
    return ok(() => {
      const left = (this.#open.get(name) ?? 1) - 1;
      if (left > 0) this.#open.set(name, left);
      else this.#open.delete(name);
    });
  }

  async #bearer(header: string | undefined, from: string): Promise<Result<ApiCaller, string>> {
    if (header === undefined) return err("there is no Authorization header");
    if (header.length > MAX_AUTHORIZATION) return err("the Authorization header is too long");
    const [scheme = "", text = "", more] = header.split(" ");
    if (scheme.toLowerCase() !== "bearer" || text === "" || more !== undefined) {
      return err('the Authorization header is not "Bearer TOKEN"');
    }
    const { tokens, logins } = this.#options;
    if (!AccessTokens.isToken(text)) return logins.identify(text, from);
    const found = tokens.find(text);
    if (found === undefined) return err("the token is not known here, was revoked, or has expired");
    const { id, record } = found;
    return ok({ name: `token ${record.name} (${id})`, method: "token", from, grants: () => tokens.grantsOf(id) });
  }
}

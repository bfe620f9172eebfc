// Which endpoint one request belongs to: by its session, its hash key, its subset. Made only for requests to services that
// have one of these.

import type { HeaderList } from "@ripstop/http";
import type { SessionPersistence } from "@ripstop/model";
import type { Cluster } from "./cluster.ts";
import type { Caller, IssuedKey, KeyedRequest } from "./request-keys.ts";
import { readSession, writeSession, type Session } from "./sessions.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** Whose sessions count, and when. */
export interface AffinityTerms {
  readonly cluster: Cluster;
  /** Of the route; else that of the service counts. */
  readonly persistence: SessionPersistence | undefined;
  readonly caller: Caller;
  /** Unix time in milliseconds. */
  readonly nowMs: number;
}

/** The place of one request. */
export class Affinity {
  readonly #cluster: Cluster;
  readonly #key: IssuedKey | undefined;
  readonly #persistence: SessionPersistence | undefined;
  readonly #session: Session | undefined;
  readonly #nowS: number;

  constructor(request: KeyedRequest, { cluster, persistence, caller, nowMs }: AffinityTerms) {
    this.#cluster = cluster;
    this.#key = cluster.keys?.ofRequest(request, caller);
    this.#persistence = persistence ?? cluster.persistence;
    this.#nowS = Math.floor(nowMs / 1000);
    this.#session =
      this.#persistence === undefined ? undefined : readSession(this.#persistence, request.headers, this.#nowS);
  }

  /** What the request wants of the subset label; "" for anything. */
  get subset(): string {
    return this.#key?.subset ?? "";
  }

  /** The endpoint of the session while it can be used, else by the key. */
  pick(nowMs: number, tried: readonly UpstreamEndpoint[]): UpstreamEndpoint | undefined {
    const persistence = this.#persistence;
    if (persistence !== undefined && this.#session !== undefined && tried.length === 0) {
      const endpoint = this.#cluster.endpointOfSession(persistence.scope, this.#session.token);
      if (endpoint !== undefined) return endpoint;
    }
    return this.#cluster.endpoints.pick(nowMs, tried, this.#key);
  }

  /** Tells the client what to come back with. */
  editResponse(headers: HeaderList, endpoint: UpstreamEndpoint): void {
    const cookie = this.#key?.cookie ?? "";
    if (cookie !== "") headers.append("set-cookie", cookie);
    const persistence = this.#persistence;
    if (persistence === undefined) return;
    const session = this.#session;
    const token = endpoint.sessionToken(persistence.scope);
    const isKnown = session !== undefined && session.token === token;
    // A session that is known is named again only if its use counts.
    if (isKnown && persistence.idleTimeoutMs === 0) return;
    writeSession(persistence, headers, {
      token,
      startedS: isKnown ? session.startedS : this.#nowS,
      usedS: this.#nowS,
    });
  }
}

// What requests to a service are hashed by, and which subset they want. Made once per config, asked only when something
// wants a key.

import { hash32, type RequestKey } from "@ripstop/balance";
import type { HeaderList } from "@ripstop/http";
import type { HashKey, LoadBalancing } from "@ripstop/model";
import { queryValue, splitTarget } from "@ripstop/routing";
import { cookieValue, setCookie } from "./cookies.ts";

/** Who calls. */
export interface Caller {
  /** Address of the client; "" when it is the application beside the proxy. */
  readonly address: string;
  /** SPIFFE id of the workload. */
  readonly identity: string;
}

/** A request as its key is made of it. */
export interface KeyedRequest {
  /** With query. */
  readonly path: string;
  readonly headers: HeaderList;
}

/** The key of one request. */
export interface IssuedKey extends RequestKey {
  /** A Set-Cookie value for the client; "" for none. */
  readonly cookie: string;
}

const MAX_RANDOM = 2 ** 32;

/** Makes the keys of one service. */
export class RequestKeys {
  readonly #keys: readonly HashKey[];
  readonly #subsetHeader: string;
  readonly #random: () => number;

  constructor(balancing: LoadBalancing, random: () => number) {
    this.#keys = balancing.hashKeys;
    this.#subsetHeader = balancing.subset?.header ?? "";
    this.#random = random;
  }

  /** The key of a request; random when nothing that it is hashed by is there. */
  ofRequest(request: KeyedRequest, caller: Caller): IssuedKey {
    const subset = this.#subsetHeader === "" ? "" : (request.headers.get(this.#subsetHeader) ?? "");
    for (const { key } of this.#keys) {
      if (key === undefined) continue;
      if (key.$case === "cookie") {
        const { name, ttlMs, path } = key.value;
        const known = cookieValue(request.headers, name);
        if (known !== undefined && known !== "") return { hash: hash32(known), subset, cookie: "" };
        const value = Math.floor(this.#random() * 2 ** 48).toString(36);
        const cookie = setCookie(name, value, { maxAgeS: Math.ceil(ttlMs / 1000), path });
        return { hash: hash32(value), subset, cookie };
      }
      const value = valueOf(key, request, caller);
      if (value !== undefined && value !== "") return { hash: hash32(value), subset, cookie: "" };
    }
    return { hash: this.#randomHash(), subset, cookie: "" };
  }

  /** The key of a raw connection. */
  ofConnection(caller: Caller): RequestKey {
    for (const { key } of this.#keys) {
      if (key?.$case === "sourceAddress" && caller.address !== "") return { hash: hash32(caller.address), subset: "" };
      if (key?.$case === "sourceIdentity" && caller.identity !== "")
        return { hash: hash32(caller.identity), subset: "" };
    }
    return { hash: this.#randomHash(), subset: "" };
  }

  #randomHash(): number {
    return Math.floor(this.#random() * MAX_RANDOM);
  }
}

function valueOf(
  key: Exclude<HashKey["key"], { readonly $case: "cookie" } | undefined>,
  request: KeyedRequest,
  caller: Caller,
): string | undefined {
  switch (key.$case) {
    case "header":
      return request.headers.get(key.value);
    case "sourceAddress":
      return caller.address;
    case "sourceIdentity":
      return caller.identity;
    case "path":
      return splitTarget(request.path).path;
    case "query":
      return queryValue(splitTarget(request.path).query, key.value);
  }
}

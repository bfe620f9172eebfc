// Requests of the config stream, as they are put together.

import type { discovery } from "@ripstop/model";

const NAMES_PER_REQUEST = 1000;

/** A request that says nothing yet. */
export function emptyRequest(typeUrl: string): discovery.DeltaDiscoveryRequest {
  return {
    node: undefined,
    typeUrl,
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: {},
    responseNonce: "",
    errorDetail: undefined,
    stateChecksum: undefined,
    seenRevision: 0,
  };
}

/** Names in portions of one request each. */
export function* chunks(names: readonly string[]): Iterable<string[]> {
  for (let at = 0; at < names.length; at += NAMES_PER_REQUEST) yield names.slice(at, at + NAMES_PER_REQUEST);
}

/** Sets a key that may be "__proto__". */
export function setOwn(target: Record<string, string>, key: string, value: string): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

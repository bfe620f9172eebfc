// A proxy without sockets for the tests of the distributor.

import assert from "node:assert/strict";

import { policyType, type discovery, type ResourceType } from "@ripstop/model";

import { stateChecksum } from "../state-checksum.ts";
import type { Distributor } from "./distributor.ts";
import type { SubscriberStream } from "./subscriber-stream.ts";

/** A request that says what `parts` say. */
export function request(
  type: ResourceType<unknown>,
  parts: Partial<discovery.DeltaDiscoveryRequest> = {},
): discovery.DeltaDiscoveryRequest {
  return {
    node: undefined,
    typeUrl: type.typeUrl,
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: {},
    responseNonce: "",
    errorDetail: undefined,
    stateChecksum: undefined,
    seenRevision: 0,
    ...parts,
  };
}

/** A proxy that keeps what it is sent, and holds its answers back. */
export class FakeProxy {
  /** Name → version. */
  readonly has: Map<string, string> = new Map();
  readonly responses: discovery.DeltaDiscoveryResponse[] = [];
  unanswered: discovery.DeltaDiscoveryResponse[] = [];
  readonly stream: SubscriberStream;
  readonly #distributor: Distributor;

  constructor(distributor: Distributor, proxyId: string) {
    this.#distributor = distributor;
    this.stream = distributor.open({ proxyId, identity: `spiffe://test.mesh/ns/shop/sa/${proxyId}` }, (response) => {
      this.responses.push(response);
      this.unanswered.push(response);
      for (const { name, version } of response.resources) {
        const key = `${response.typeUrl} ${name}`;
        assert.notEqual(this.has.get(key), version, "sent what the proxy has");
        this.has.set(key, version);
      }
      for (const name of response.removedResources) this.has.delete(`${response.typeUrl} ${name}`);
    });
  }

  subscribe(
    type: ResourceType<unknown>,
    names: string[],
    initialResourceVersions: Record<string, string> = {},
  ): string | undefined {
    return this.stream.onRequest(request(type, { resourceNamesSubscribe: names, initialResourceVersions }));
  }

  answer(reason?: string): void {
    for (const { typeUrl, nonce } of this.unanswered.splice(0)) {
      const errorDetail = reason === undefined ? undefined : { code: 3, message: reason };
      this.stream.onRequest({ ...request(policyType), typeUrl, responseNonce: nonce, errorDetail });
    }
  }

  /** Says what it has of a type. */
  audit(type: ResourceType<unknown>): void {
    const prefix = `${type.typeUrl} `;
    const state = [...this.has].filter(([key]) => key.startsWith(prefix));
    const stateOf = state.map(([key, version]) => [key.slice(prefix.length), version] as const);
    this.stream.onRequest(request(type, { stateChecksum: stateChecksum(stateOf) }));
  }

  close(): void {
    this.#distributor.close(this.stream);
  }
}

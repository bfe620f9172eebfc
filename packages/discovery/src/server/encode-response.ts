// Responses as bytes. A resource goes to every subscriber in the same bytes: what surrounds it in a response is encoded
// once, and a response is put together from pieces.

import { discovery } from "@ripstop/model";

import type { VersionedResource } from "./snapshot.ts";

/** A resource as it stands in a response, with the bytes that go before its value there. */
class PreparedResource implements discovery.Resource {
  readonly name: string;
  readonly version: string;
  readonly aliases: string[] = [];
  readonly resource: { typeUrl: string; value: Buffer };
  readonly head: Buffer;

  constructor(typeUrl: string, { name, version, bytes }: VersionedResource) {
    this.name = name;
    this.version = version;
    const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.resource = { typeUrl, value };
    // The value last, in its message and in the one around it: fields may come in any order (protobuf encoding).
    const any = Buffer.concat([text(1, typeUrl), lengthOf(2, value.length)]);
    const resource = Buffer.concat([text(1, version), text(3, name), lengthOf(2, any.length + value.length), any]);
    this.head = Buffer.concat([lengthOf(RESOURCES_FIELD, resource.length + value.length), resource]);
  }
}

/** Number of `resources` in DeltaDiscoveryResponse. */
const RESOURCES_FIELD = 2;
const prepared = new WeakMap<VersionedResource, PreparedResource>();

/** The resource as it stands in a response; the same object for every subscriber. */
export function resourceMessage(typeUrl: string, resource: VersionedResource): discovery.Resource {
  let message = prepared.get(resource);
  if (message === undefined) prepared.set(resource, (message = new PreparedResource(typeUrl, resource)));
  return message;
}

/** A response in the bytes of its protobuf message. */
export function encodeResponse(response: discovery.DeltaDiscoveryResponse): Buffer {
  const others: discovery.Resource[] = [];
  const pieces: Uint8Array[] = [];
  for (const resource of response.resources) {
    if (resource instanceof PreparedResource) pieces.push(resource.head, resource.resource.value);
    else others.push(resource);
  }
  pieces.push(discovery.DeltaDiscoveryResponse.encode({ ...response, resources: others }).finish());
  return Buffer.concat(pieces);
}

const LENGTH_DELIMITED = 2;

function text(field: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([lengthOf(field, bytes.length), bytes]);
}

/** Tag and length of a field (below 16) that is length-delimited. */
function lengthOf(field: number, length: number): Buffer {
  const bytes = [(field << 3) | LENGTH_DELIMITED];
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

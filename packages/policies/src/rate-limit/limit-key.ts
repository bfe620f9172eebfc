// The key that a request is counted under.

import type { RequestInfo } from "@ripstop/policy-api/proxy";

import { KeyPart_Type, type KeyPart } from "./config.gen.ts";

/** Longer values are cut: keys are kept. */
const MAX_VALUE = 256;
/** Between parts; no value holds it, since header fields and paths have no line breaks. */
const SEPARATOR = "\n";

/** The values of `parts`, in one text. "" when there are none. */
export function limitKey(parts: readonly KeyPart[], request: RequestInfo): string {
  let key = "";
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at];
    if (part === undefined) continue;
    const value = valueOf(part, request);
    key += (value.length > MAX_VALUE ? value.slice(0, MAX_VALUE) : value) + SEPARATOR;
  }
  return key;
}

function valueOf(part: KeyPart, request: RequestInfo): string {
  switch (part.type) {
    case KeyPart_Type.IDENTITY:
      return request.source.identity;
    case KeyPart_Type.NAMESPACE:
      return request.source.namespace;
    case KeyPart_Type.ADDRESS:
      return addressOf(request.source.address);
    case KeyPart_Type.METHOD:
      return request.method;
    case KeyPart_Type.PATH:
      return request.path;
    case KeyPart_Type.HOST:
      return request.host;
    case KeyPart_Type.HEADER:
      return request.headers.get(part.header) ?? "";
    default:
      throw new Error(`this version does not know how to count by ${String(part.type)}`);
  }
}

/** Without the port, which is another for every connection. */
function addressOf(address: string): string {
  const colon = address.lastIndexOf(":");
  if (colon < 0 || (address.indexOf(":") !== colon && !address.startsWith("["))) return address;
  return address.slice(0, colon);
}

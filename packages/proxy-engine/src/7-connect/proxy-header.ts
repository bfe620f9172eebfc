// The PROXY protocol header that a destination wants.

import { ProxyProtocol } from "@ripstop/model";
import { encodeProxyHeader, type ProxyAddresses } from "@ripstop/net";

/** The header; undefined when none is wanted. Without addresses it says that this proxy speaks for itself. */
export function proxyHeader(
  wanted: ProxyProtocol | undefined,
  addresses: ProxyAddresses | undefined,
): Buffer | undefined {
  if (wanted === ProxyProtocol.V1) return encodeProxyHeader(1, addresses);
  return wanted === ProxyProtocol.V2 ? encodeProxyHeader(2, addresses) : undefined;
}

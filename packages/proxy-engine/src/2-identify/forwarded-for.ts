// The client's own address, as the proxies on the way tell it: in the field `forwarded` of a tunnel (RFC 7239).

import type { HeaderList } from "@ripstop/http";
import { isIP } from "node:net";
import type { Conn, ProxyAddress } from "@ripstop/net";
import { formatAuthority, parseAuthority } from "./authority.ts";

const FIELD = "forwarded";
const MAX_LENGTH = 512;

/** The first `for` of a tunnel's request, when it is an address; what a verified peer claims, so for information only. */
export function forwardedFor(headers: HeaderList): ProxyAddress | undefined {
  const field = headers.get(FIELD);
  if (field === undefined || field.length > MAX_LENGTH) return undefined;
  const first = field.split(/[;,]/, 1)[0]?.trim() ?? "";
  if (first.slice(0, 4).toLowerCase() !== "for=") return undefined;
  const value = first.slice(4).replace(/^"(.*)"$/, "$1");
  const parsed = parseAuthority(value);
  return parsed === undefined || isIP(parsed.host) === 0 ? undefined : { address: parsed.host, port: parsed.port };
}

/** Says in a tunnel's request for whom it is, when the client is known to be another one than the application here. */
export function tellForwardedFor(headers: HeaderList, client: Conn): void {
  if (client.proxied !== true) return;
  headers.append(FIELD, `for="${formatAuthority(client.remoteAddress, client.remotePort)}"`);
}

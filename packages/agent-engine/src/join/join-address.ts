// "HOST:PORT" as text.

/** A host and a port. */
export interface JoinAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads "HOST:PORT" or "[IPV6]:PORT"; undefined when it is neither. */
export function parseJoinAddress(text: string): JoinAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9][A-Za-z0-9.-]{0,252})):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}

/** `address` ("HOST:PORT"), with the host that was joined in place of one that means "every address". */
export function reachableAddress(address: string, joined: JoinAddress): string {
  const parsed = parseJoinAddress(address);
  if (parsed === undefined || !["0.0.0.0", "::"].includes(parsed.host)) return address;
  return joined.host.includes(":") ? `[${joined.host}]:${parsed.port}` : `${joined.host}:${parsed.port}`;
}

// Host and port of a request's authority (RFC 9110 §7.2).

/** A host with its port. */
export interface HostPort {
  /** Lower case, no trailing dot; IPv6 without brackets. */
  readonly host: string;
  /** 0 when none is given. */
  readonly port: number;
}

/** What was parsed last: a connection's requests mostly name the same host, and codecs give the same string for it. */
let parsedText = "";
let parsed: HostPort | undefined;

/** Splits "Host:8080", "[::1]:80", "host."; undefined when it is malformed. */
export function parseAuthority(authority: string): HostPort | undefined {
  if (authority !== parsedText) {
    parsed = parse(authority);
    parsedText = authority;
  }
  return parsed;
}

function parse(authority: string): HostPort | undefined {
  let host: string;
  let rest: string;
  if (authority.startsWith("[")) {
    const close = authority.indexOf("]");
    if (close < 0) return undefined;
    host = authority.slice(1, close);
    rest = authority.slice(close + 1);
    if (rest !== "" && !rest.startsWith(":")) return undefined;
    rest = rest.slice(1);
  } else {
    const colon = authority.indexOf(":");
    host = colon < 0 ? authority : authority.slice(0, colon);
    rest = colon < 0 ? "" : authority.slice(colon + 1);
  }
  if (host === "" || host.length > 253) return undefined;
  if (host.endsWith(".")) host = host.slice(0, -1);
  for (let at = 0; at < host.length; at++) {
    const code = host.charCodeAt(at);
    // Letters, digits, "-", ".", "_", and ":" "%" of IPv6 with a zone.
    const isPlain =
      (code >= 0x30 && code <= 0x3a) ||
      (code >= 0x41 && code <= 0x5a) ||
      (code >= 0x61 && code <= 0x7a) ||
      code === 0x25;
    if (!isPlain && code !== 0x2d && code !== 0x2e && code !== 0x5f) return undefined;
  }
  let port = 0;
  for (let at = 0; at < rest.length; at++) {
    const digit = rest.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    port = port * 10 + digit;
    if (port > 65535) return undefined;
  }
  return { host: host.toLowerCase(), port };
}

/** "HOST:PORT", with brackets round an IPv6 host. */
export function formatAuthority(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether the text is an address of this machine's loopback. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

// Host and port as Host fields, request targets and :authority carry them (RFC 3986 §3.2, RFC 9110 §4.2 and §7.2).
// One form for both codecs: rules that match hosts must see the same text whatever version carried it.

import { isIPv6 } from "node:net";

const COLON = 58;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;

/**
 * `text` in the one form that is matched, logged and sent on: lower case, no empty port. Undefined when it is not a
 * host name, an IPv4 address or a bracketed IPv6 address with an optional port 0 … 65535. Percent-encoding, user
 * names and sub-delimiters are refused: no host name in use has them, and parsers disagree about them.
 */
export function canonicalAuthority(text: string): string | undefined {
  let at = 0;
  let hasUpper = false;
  const length = text.length;
  if (text.charCodeAt(0) === OPEN_BRACKET) {
    at = 1;
    while (at < length && isAddressCharacter(text.charCodeAt(at))) at++;
    if (text.charCodeAt(at) !== CLOSE_BRACKET || !isIPv6(text.substring(1, at))) return undefined;
    hasUpper = true;
    at++;
  } else {
    for (; at < length; at++) {
      const code = text.charCodeAt(at);
      if ((code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 46 || code === 45) continue;
      if (code >= 65 && code <= 90) hasUpper = true;
      else if (code !== 95 && code !== 126) break;
    }
    if (at === 0) return undefined;
  }
  let end = length;
  if (at < length) {
    if (text.charCodeAt(at) !== COLON || length - at > 6) return undefined;
    let port = 0;
    for (let digit = at + 1; digit < length; digit++) {
      const code = text.charCodeAt(digit);
      if (code < 48 || code > 57) return undefined;
      port = port * 10 + code - 48;
    }
    if (port > 65_535) return undefined;
    if (at === length - 1) end = at;
  }
  const whole = end === length ? text : text.substring(0, end);
  return hasUpper ? whole.toLowerCase() : whole;
}

/** Whether a canonical authority names its port, as the target of CONNECT must (RFC 9112 §3.2.3). */
export function hasPort(authority: string): boolean {
  const colon = authority.lastIndexOf(":");
  return colon > 0 && colon > authority.lastIndexOf("]") && colon < authority.length - 1;
}

/** Hexadecimal digits, ":" and ".": what an IPv6 address may hold. */
function isAddressCharacter(code: number): boolean {
  const lower = code | 32;
  return (code >= 48 && code <= 58) || (lower >= 97 && lower <= 102) || code === 46;
}

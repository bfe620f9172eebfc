// The forms in which policies compare paths. Pure text, used on both sides.
//
// The engine gives a request one canonical path (RFC 3986 §6.2.2, dot segments and doubled slashes gone). ALLOW
// compares exactly that. Applications differ in what they make of the rest (an encoded comma, ";v=1", a backslash,
// case, raw octets, a slash at the end), so DENY also compares a loose form in which all of these are one: an attacker who can
// spell a denied path in another way must still be denied.

/** The loose form, in which paths that some application takes for the same are the same text. */
export function toLoosePath(path: string): string {
  if (isPlain(path)) return path;
  let loose = path.replace(/;[^/]*/g, "");
  loose = loose.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  loose = loose
    .replace(/\\/g, "/")
    .replace(/;[^/]*/g, "")
    .replace(/\/{2,}/g, "/")
    .toLowerCase();
  return loose.length > 1 && loose.endsWith("/") ? loose.slice(0, -1) : loose;
}

/** True when `path` is its own loose form for sure. */
function isPlain(path: string): boolean {
  const last = path.length - 1;
  let before = 0;
  for (let at = 0; at <= last; at++) {
    const code = path.charCodeAt(at);
    if (code === 0x25 || code === 0x3b || code === 0x5c || (code >= 0x41 && code <= 0x5a) || code > 0x7e) return false;
    if (code === 0x2f && (before === 0x2f || (at === last && at > 0))) return false;
    before = code;
  }
  return true;
}

/** True when `path` is `prefix` or below it; `prefix` has no slash at its end ("" is the root). */
export function isAtOrBelow(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f;
}

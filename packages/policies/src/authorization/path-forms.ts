// The forms in which policies compare paths. Pure text, used on both sides.
//
// The engine gives a request one canonical path (RFC 3986 §6.2.2, dot segments and doubled slashes gone). ALLOW
// compares exactly that. Applications differ in what they make of the rest (an encoded comma, ";v=1", a backslash,
// case, a slash at the end), so DENY also compares a loose form in which all of these are one: an attacker who can
// spell a denied path in another way must still be denied.

/** Why `path` could never be canonical, as an end of the sentence '"PATH" …'; undefined when it can. */
export function canonicalPathProblem(path: string): string | undefined {
  if (!path.startsWith("/")) return "does not start with /";
  if (path.includes("//")) return "has an empty segment (//)";
  if (/[?#]/.test(path)) return "holds ? or #, which are never part of a path";
  if (/\\/.test(path)) return "holds a backslash";
  if (/(^|\/)\.{1,2}(\/|$)/.test(path)) return "has a segment . or ..";
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return "holds a control character";
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return "has a % that two hexadecimal digits do not follow";
  if (/%(2f|5c|00)/i.test(path)) return "holds an encoded slash, backslash or NUL, which the proxy refuses";
  return undefined;
}

/**
 * The canonical spelling of a policy's path: characters that a path may not hold are percent-encoded as UTF-8,
 * unreserved ones are not, hexadecimal digits are upper case (RFC 3986 §2.3, §6.2.2).
 */
export function toCanonicalPath(path: string): string {
  return path
    .replace(/[^\u0021-\u007e]|["<>^`{|}]/gu, (character) => encodeUtf8(character))
    .replace(/%[0-9A-Fa-f]{2}/g, (triple) => {
      const character = String.fromCharCode(Number.parseInt(triple.slice(1), 16));
      return /[A-Za-z0-9._~-]/.test(character) ? character : triple.toUpperCase();
    });
}

function encodeUtf8(character: string): string {
  let text = "";
  for (const byte of Buffer.from(character)) text += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return text;
}

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
    if (code === 0x25 || code === 0x3b || code === 0x5c || (code >= 0x41 && code <= 0x5a)) return false;
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

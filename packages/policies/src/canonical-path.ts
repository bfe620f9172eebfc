// The spelling in which the engine gives paths to routes and policies, for paths that resources name (control side).

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
  if (/%(2f|5c|[01][0-9a-f]|7f)/i.test(path))
    return "holds an encoded slash, backslash or control character, which the proxy refuses";
  return undefined;
}

/**
 * The canonical spelling of a path in a resource: characters that a path may not hold are percent-encoded as UTF-8,
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

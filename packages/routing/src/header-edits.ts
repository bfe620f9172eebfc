// The header modifier filter (Gateway API HTTPHeaderFilter): set, add, remove.

import type { HeaderList } from "@ripstop/http";
import type { HeaderModifier } from "@ripstop/model";

/** Ready to apply: names in lower case. */
export interface HeaderEdits {
  apply(headers: HeaderList): void;
}

// These frame the message or belong to one hop; a route may not change them.
const UNTOUCHABLE = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Characters that are legal in a field value sent on (RFC 9110 §5.5); anything else could split a message. */
function isSafeValue(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false;
  }
  return true;
}

/** Makes a modifier ready. Fields that frame the message, and values that could not be sent, are left out. */
export function compileHeaderModifier(modifier: HeaderModifier): HeaderEdits {
  const usable = (name: string): boolean => name !== "" && !name.startsWith(":") && !UNTOUCHABLE.has(name);
  const pairs = (list: readonly { readonly name: string; readonly value: string }[]): (readonly [string, string])[] =>
    list
      .map((entry) => [entry.name.toLowerCase(), entry.value] as const)
      .filter(([name, value]) => usable(name) && isSafeValue(value));
  const set = pairs(modifier.set);
  const add = pairs(modifier.add);
  const remove = modifier.remove.map((name) => name.toLowerCase()).filter(usable);
  return {
    apply(headers) {
      for (const name of remove) headers.remove(name);
      for (const [name, value] of set) headers.set(name, value);
      for (const [name, value] of add) addValue(headers, name, value);
    },
  };
}

/** Gateway API: "add" appends to what is there, comma-separated. Set-Cookie cannot be combined (RFC 9110 §5.3). */
function addValue(headers: HeaderList, name: string, value: string): void {
  const at = name === "set-cookie" ? -1 : headers.indexOf(name, 0);
  if (at < 0) headers.append(name, value);
  else headers.replaceAt(at, `${headers.valueAt(at)},${value}`);
}

// IP addresses between their text and their bytes.

import { isIP } from "node:net";

const V6_GROUPS = 8;

/** The 4 or 16 bytes of an address; undefined when the text is none. A zone ("%eth0") is left out. */
export function ipToBytes(text: string): Buffer | undefined {
  const percent = text.indexOf("%");
  const address = percent < 0 ? text : text.slice(0, percent);
  const family = isIP(address);
  if (family === 4) return Buffer.from(address.split(".").map(Number));
  if (family !== 6) return undefined;
  const lastColon = address.lastIndexOf(":");
  const tail = address.slice(lastColon + 1);
  const v4 = tail.includes(".") ? Buffer.from(tail.split(".").map(Number)) : undefined;
  const hex =
    v4 === undefined
      ? address
      : `${address.slice(0, lastColon + 1)}${v4.readUInt16BE(0).toString(16)}:${v4.readUInt16BE(2).toString(16)}`;
  const [before = "", after] = hex.split("::");
  const first = before === "" ? [] : before.split(":");
  const last = after === undefined || after === "" ? [] : after.split(":");
  const bytes = Buffer.alloc(2 * V6_GROUPS);
  for (const [at, group] of first.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * at);
  for (const [at, group] of last.entries())
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * (V6_GROUPS - last.length + at));
  return bytes;
}

/** The text of 4 or 16 bytes; IPv6 as RFC 5952 writes it. */
export function bytesToIp(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: V6_GROUPS }, (_, at) => bytes.readUInt16BE(2 * at));
  // The longest run of two zero groups or more is left out, the first of several.
  let best = -1;
  let bestLength = 1;
  for (let at = 0; at < V6_GROUPS; at++) {
    let length = 0;
    while (at + length < V6_GROUPS && groups[at + length] === 0) length++;
    if (length > bestLength) {
      best = at;
      bestLength = length;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (best < 0) return hex.join(":");
  return `${hex.slice(0, best).join(":")}::${hex.slice(best + bestLength).join(":")}`;
}

/** IPv4 for the IPv6 address that a socket of both families shows it as (RFC 4291 section 2.5.5.2); others as they are. */
export function unmapped(address: string): string {
  return /^::ffff:[0-9.]+$/i.test(address) ? address.slice(7) : address;
}

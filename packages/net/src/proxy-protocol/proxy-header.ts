// The header of the PROXY protocol, by which a proxy says at the start of a connection who its client is
// (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt): version 1 is a line of text, version 2 is binary.

import { isIPv4, isIPv6 } from "node:net";
import { crc32c } from "./crc32c.ts";
import { bytesToIp, ipToBytes, unmapped } from "./ip-bytes.ts";

/** One end of a connection. */
export interface ProxyAddress {
  /** IPv4 or IPv6. */
  readonly address: string;
  readonly port: number;
}

/** Both ends of the client's connection. */
export interface ProxyAddresses {
  readonly source: ProxyAddress;
  readonly destination: ProxyAddress;
}

/** What a header says. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** Undefined when the sender speaks for itself (LOCAL), or does not know (UNKNOWN, AF_UNSPEC, Unix sockets). */
  readonly addresses: ProxyAddresses | undefined;
}

/** What the bytes so far are. */
export type ProxyHeaderRead =
  | { readonly state: "more" }
  | {
      readonly state: "complete";
      readonly header: ProxyHeader;
      /** Bytes of the header. */
      readonly length: number;
    }
  | {
      readonly state: "invalid";
      /** In plain words. */
      readonly cause: string;
    };

/** Longest header that is read. */
export const MAX_PROXY_HEADER_BYTES: number = 16 + 4_096;

const V1_START = "PROXY ";
/** With the longest addresses (section 2.1), line end included. */
const V1_MAX_BYTES = 107;
const V2_SIGNATURE: Buffer = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V2_FIXED_BYTES = 16;
const LOCAL = 0x20;
const PROXY = 0x21;
const UNSPEC = 0x00;
const TCP4 = 0x11;
const TCP6 = 0x21;
const UNIX_STREAM = 0x31;
const ADDRESS_BYTES: Readonly<Record<number, number>> = { [UNSPEC]: 0, [TCP4]: 12, [TCP6]: 36, [UNIX_STREAM]: 216 };
const TLV_CRC32C = 0x03;

const MORE: ProxyHeaderRead = { state: "more" };

/** Reads a header from the first bytes `buf[start, end)` of a connection. Strict: what is not exactly one is invalid. */
export function readProxyHeader(buf: Buffer, start: number, end: number): ProxyHeaderRead {
  if (end <= start) return MORE;
  return buf[start] === V2_SIGNATURE[0] ? readV2(buf.subarray(start, end)) : readV1(buf.subarray(start, end));
}

function invalid(cause: string): ProxyHeaderRead {
  return { state: "invalid", cause };
}

function readV1(bytes: Buffer): ProxyHeaderRead {
  const known = Math.min(bytes.length, V1_START.length);
  if (bytes.latin1Slice(0, known) !== V1_START.slice(0, known)) return invalid("there is no PROXY protocol header");
  const line = bytes.latin1Slice(0, Math.min(bytes.length, V1_MAX_BYTES));
  const end = line.indexOf("\n");
  if (end < 0) return bytes.length >= V1_MAX_BYTES ? invalid("the line is too long") : MORE;
  if (line[end - 1] !== "\r") return invalid("the line does not end with CR LF");
  const [, family, ...rest] = line.slice(0, end - 1).split(" ");
  const length = end + 1;
  // What follows UNKNOWN is to be ignored.
  if (family === "UNKNOWN") return { state: "complete", header: { version: 1, addresses: undefined }, length };
  const [from = "", to = "", fromPort = "", toPort = "", ...more] = rest;
  const isAddress = family === "TCP4" ? isIPv4 : family === "TCP6" ? isIPv6 : undefined;
  if (isAddress === undefined) return invalid("the protocol is neither TCP4, TCP6 nor UNKNOWN");
  const source = { address: from, port: readPort(fromPort) };
  const destination = { address: to, port: readPort(toPort) };
  if (more.length > 0 || !isAddress(from) || !isAddress(to) || from.includes("%") || to.includes("%"))
    return invalid("the addresses are malformed");
  if (source.port < 0 || destination.port < 0) return invalid("a port is malformed");
  return { state: "complete", header: { version: 1, addresses: { source, destination } }, length };
}

/** A decimal number up to 65,535 without needless zeros; -1 for anything else. */
function readPort(text: string): number {
  const port = Number(text);
  return text.length <= 5 && String(port) === text && port >= 0 && port <= 65_535 ? port : -1;
}

function readV2(bytes: Buffer): ProxyHeaderRead {
  const known = Math.min(bytes.length, V2_SIGNATURE.length);
  if (V2_SIGNATURE.compare(bytes, 0, known, 0, known) !== 0) return invalid("there is no PROXY protocol header");
  const command = bytes[12] ?? LOCAL;
  const family = bytes[13] ?? UNSPEC;
  const addressBytes = ADDRESS_BYTES[family];
  if (command !== LOCAL && command !== PROXY) return invalid("the version or command is unknown");
  if (addressBytes === undefined) return invalid("the address family or transport is not one of a stream");
  if (bytes.length < V2_FIXED_BYTES) return MORE;
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (length > MAX_PROXY_HEADER_BYTES) return invalid("the header is too long");
  // A LOCAL header's addresses are to be skipped, whatever they are.
  if (command === PROXY && length < V2_FIXED_BYTES + addressBytes) return invalid("the addresses are cut short");
  if (bytes.length < length) return MORE;
  if (command === LOCAL) return { state: "complete", header: { version: 2, addresses: undefined }, length };
  const broken = checkTlvs(bytes.subarray(0, length), V2_FIXED_BYTES + addressBytes, family);
  if (broken !== "") return invalid(broken);
  return { state: "complete", header: { version: 2, addresses: addressesOf(bytes, family) }, length };
}

function addressesOf(bytes: Buffer, family: number): ProxyAddresses | undefined {
  if (family !== TCP4 && family !== TCP6) return undefined;
  const size = family === TCP4 ? 4 : 16;
  const at = V2_FIXED_BYTES;
  return {
    source: { address: bytesToIp(bytes.subarray(at, at + size)), port: bytes.readUInt16BE(at + 2 * size) },
    destination: {
      address: bytesToIp(bytes.subarray(at + size, at + 2 * size)),
      port: bytes.readUInt16BE(at + 2 * size + 2),
    },
  };
}

/** Why what follows the addresses is wrong; "" when it is not. */
function checkTlvs(header: Buffer, start: number, family: number): string {
  // Nothing is said about what follows an address block of unknown length.
  if (family === UNSPEC) return "";
  for (let at = start; at < header.length;) {
    if (at + 3 > header.length) return "an extension is cut short";
    const valueAt = at + 3;
    const length = header.readUInt16BE(at + 1);
    if (valueAt + length > header.length) return "an extension is cut short";
    if (header[at] === TLV_CRC32C) {
      if (length !== 4) return "the checksum is malformed";
      // Computed with the checksum itself as zeros.
      const copy = Buffer.from(header);
      copy.fill(0, valueAt, valueAt + 4);
      if (crc32c(copy) !== header.readUInt32BE(valueAt)) return "the checksum is wrong";
    }
    at = valueAt + length;
  }
  return "";
}

/**
 * The header to send. Without addresses, or with such that are not IP addresses, it says that the sender speaks for
 * itself. When the families differ, IPv4 is written as the IPv6 address that maps it.
 */
export function encodeProxyHeader(version: 1 | 2, addresses: ProxyAddresses | undefined): Buffer {
  let source = ipToBytes(unmapped(addresses?.source.address ?? ""));
  let destination = ipToBytes(unmapped(addresses?.destination.address ?? ""));
  if (addresses === undefined || source === undefined || destination === undefined)
    return version === 1 ? Buffer.from("PROXY UNKNOWN\r\n", "latin1") : v2Header(LOCAL, UNSPEC, Buffer.alloc(0));
  if (source.length !== destination.length) {
    source = mapped(source);
    destination = mapped(destination);
  }
  const { port: fromPort } = addresses.source;
  const { port: toPort } = addresses.destination;
  const isV4 = source.length === 4;
  if (version === 1) {
    const from = bytesToIp(source);
    const to = bytesToIp(destination);
    return Buffer.from(`PROXY ${isV4 ? "TCP4" : "TCP6"} ${from} ${to} ${fromPort} ${toPort}\r\n`, "latin1");
  }
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(fromPort, 0);
  ports.writeUInt16BE(toPort, 2);
  return v2Header(PROXY, isV4 ? TCP4 : TCP6, Buffer.concat([source, destination, ports]));
}

function v2Header(command: number, family: number, body: Buffer): Buffer {
  const fixed = Buffer.from([command, family, body.length >> 8, body.length & 0xff]);
  return Buffer.concat([V2_SIGNATURE, fixed, body]);
}

function mapped(bytes: Buffer): Buffer {
  return bytes.length === 16 ? bytes : Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), bytes]);
}

// Header field names as constants: a known name costs no string, a custom one is remembered for a while.

import { TOKEN_LOWER } from "./characters.ts";

/** What a codec does with a field; everything above ORDINARY never reaches the HeaderList as it is. */
export const FieldRole = {
  ORDINARY: 0,
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 3,
  CONNECTION: 4,
  UPGRADE: 5,
  EXPECT: 6,
  TE: 7,
  /** Connection-specific and of no further use (RFC 9110 §7.6.1). */
  DROPPED: 8,
  /** Of an upgrade to h2c (RFC 7540 §3.2.1). */
  HTTP2_SETTINGS: 9,
} as const;

/**
 * A field name with its role, and what it looked like and what followed it the last time (a guess for the next). Requests
 * and responses come in turn and differ in what follows a name that both have.
 */
export class FieldName {
  /** In lower case. */
  readonly name: string;
  readonly role: number;
  /** The bytes of `name`. */
  readonly bytes: Uint8Array;
  /** The bytes as a peer spelled them, with the colon. */
  spelling: Uint8Array;
  /** The name that came after this one in a request. */
  nextInRequest: FieldName | undefined = undefined;
  /** The same in a response or in trailers. */
  nextInOther: FieldName | undefined = undefined;
  /** Forgotten: no other name may hold on to it, or strangers could make the chain grow without end. */
  isForgotten = false;
  #misses = 0;

  constructor(name: string, role: number) {
    this.name = name;
    this.role = role;
    this.bytes = Buffer.from(name, "latin1");
    this.spelling = Buffer.from(`${name}:`, "latin1");
  }

  /** Another spelling was met at `buf[start, end)` (colon not included): it is taken over now and then. */
  missed(buf: Buffer, start: number, end: number): void {
    if ((this.#misses++ & 15) === 0) this.spelling = Uint8Array.prototype.slice.call(buf, start, end + 1);
  }
}

/** Before the first field: only what follows it counts. */
export const BEFORE_FIELDS: FieldName = new FieldName("", FieldRole.ORDINARY);

/** Fields that the codec treats in a way of their own. */
export const SPECIAL_FIELDS: Readonly<Record<string, number>> = {
  host: FieldRole.HOST,
  "content-length": FieldRole.CONTENT_LENGTH,
  "transfer-encoding": FieldRole.TRANSFER_ENCODING,
  connection: FieldRole.CONNECTION,
  upgrade: FieldRole.UPGRADE,
  expect: FieldRole.EXPECT,
  te: FieldRole.TE,
  "keep-alive": FieldRole.DROPPED,
  "proxy-connection": FieldRole.DROPPED,
  "http2-settings": FieldRole.HTTP2_SETTINGS,
};

const COMMON = `accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-credentials
  access-control-allow-headers access-control-allow-methods access-control-allow-origin access-control-expose-headers
  access-control-max-age access-control-request-headers access-control-request-method age allow alt-svc authorization
  baggage cache-control content-disposition content-encoding content-language content-location content-range
  content-security-policy content-type cookie date dnt early-data etag expires forwarded from grpc-accept-encoding
  grpc-encoding grpc-message grpc-status grpc-timeout if-match if-modified-since if-none-match if-range
  if-unmodified-since last-modified link location max-forwards origin permissions-policy pragma priority
  proxy-authenticate proxy-authorization range referer referrer-policy retry-after sec-ch-ua sec-ch-ua-mobile
  sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-websocket-accept
  sec-websocket-extensions sec-websocket-key sec-websocket-protocol sec-websocket-version server server-timing
  set-cookie strict-transport-security timing-allow-origin traceparent tracestate trailer upgrade-insecure-requests
  user-agent vary via warning www-authenticate x-api-key x-content-type-options x-correlation-id x-forwarded-for
  x-forwarded-host x-forwarded-port x-forwarded-proto x-frame-options x-powered-by x-real-ip x-request-id
  x-requested-with x-xss-protection`.split(/\s+/);

const KNOWN_SLOTS = 2048;
const LEARNED_SLOTS = 512;
/** Longer names are not remembered, so that what strangers can make us keep is at most 32 KB. */
const MAX_LEARNED_BYTES = 64;

/** The hash that the head scanner computes on the way: h × 31 + lower-case byte, from 0. */
function hashName(name: string): number {
  let hash = 0;
  for (let at = 0; at < name.length; at++) hash = (Math.imul(hash, 31) + name.charCodeAt(at)) | 0;
  return hash;
}

function slotOf(hash: number, slots: number): number {
  return (hash ^ (hash >>> 11) ^ (hash >>> 22)) & (slots - 1);
}

const known: (FieldName | undefined)[] = Array.from({ length: KNOWN_SLOTS });
const learned: (FieldName | undefined)[] = Array.from({ length: LEARNED_SLOTS });

// Property keys are internalized strings, which compare by address.
for (const name of Object.keys({ ...SPECIAL_FIELDS, ...Object.fromEntries(COMMON.map((name) => [name, 0])) })) {
  let slot = slotOf(hashName(name), KNOWN_SLOTS);
  while (known[slot] !== undefined) slot = (slot + 1) & (KNOWN_SLOTS - 1);
  known[slot] = new FieldName(name, SPECIAL_FIELDS[name] ?? FieldRole.ORDINARY);
}

/**
 * The field name in `buf[start, end)` (tchars in any case) whose hash the caller has computed.
 * Learned names replace each other in a fixed table, so a stranger cannot make it grow.
 */
export function fieldNameAt(buf: Buffer, start: number, end: number, hash: number): FieldName {
  let slot = slotOf(hash, KNOWN_SLOTS);
  for (let entry = known[slot]; entry !== undefined; entry = known[slot]) {
    if (sameName(entry.bytes, buf, start, end)) return entry;
    slot = (slot + 1) & (KNOWN_SLOTS - 1);
  }
  const at = slotOf(hash, LEARNED_SLOTS);
  const entry = learned[at];
  if (entry !== undefined && sameName(entry.bytes, buf, start, end)) return entry;
  const fresh = new FieldName(buf.latin1Slice(start, end).toLowerCase(), FieldRole.ORDINARY);
  if (end - start > MAX_LEARNED_BYTES) {
    fresh.isForgotten = true;
    return fresh;
  }
  if (entry !== undefined) {
    entry.isForgotten = true;
    entry.nextInRequest = undefined;
    entry.nextInOther = undefined;
  }
  learned[at] = fresh;
  return fresh;
}

function sameName(name: Uint8Array, buf: Buffer, start: number, end: number): boolean {
  const length = end - start;
  if (name.length !== length) return false;
  const lower = TOKEN_LOWER;
  for (let at = 0; at < length; at++) if (name[at] !== lower[buf[start + at] ?? 0]) return false;
  return true;
}

/** Whether `buf` goes on with `spelling` at `at`. */
export function spells(spelling: Uint8Array, buf: Buffer, at: number): boolean {
  const length = spelling.length;
  for (let offset = 0; offset < length; offset++) if (buf[at + offset] !== spelling[offset]) return false;
  return true;
}

/** The role of `name` (lower case) when it is not an ordinary field. */
export function roleOfName(name: string): number {
  return Object.hasOwn(SPECIAL_FIELDS, name) ? (SPECIAL_FIELDS[name] ?? FieldRole.ORDINARY) : FieldRole.ORDINARY;
}

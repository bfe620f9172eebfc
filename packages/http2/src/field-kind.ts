// What a header field name means to the codec, and what the bytes of a value may be. Computed once when a string
// enters a table, so that a repeated field costs no scan (RFC 9113 §8.2, §8.3; RFC 9110 §5).

/** Names that the codec treats in their own way; everything else is OTHER. */
export const FieldKind = {
  OTHER: 0,
  METHOD: 1,
  SCHEME: 2,
  AUTHORITY: 3,
  PATH: 4,
  PROTOCOL: 5,
  STATUS: 6,
  UNKNOWN_PSEUDO: 7,
  CONTENT_LENGTH: 8,
  HOST: 9,
  COOKIE: 10,
  TE: 11,
  CONNECTION_SPECIFIC: 12,
  EXPECT: 13,
  PRIORITY: 14,
  /** What nobody else may see; passed on like OTHER. */
  CREDENTIALS: 15,
} as const;

const KINDS: ReadonlyMap<string, number> = new Map<string, number>([
  [":method", FieldKind.METHOD],
  [":scheme", FieldKind.SCHEME],
  [":authority", FieldKind.AUTHORITY],
  [":path", FieldKind.PATH],
  [":protocol", FieldKind.PROTOCOL],
  [":status", FieldKind.STATUS],
  ["content-length", FieldKind.CONTENT_LENGTH],
  ["host", FieldKind.HOST],
  ["cookie", FieldKind.COOKIE],
  ["te", FieldKind.TE],
  ["connection", FieldKind.CONNECTION_SPECIFIC],
  ["proxy-connection", FieldKind.CONNECTION_SPECIFIC],
  ["keep-alive", FieldKind.CONNECTION_SPECIFIC],
  ["transfer-encoding", FieldKind.CONNECTION_SPECIFIC],
  ["upgrade", FieldKind.CONNECTION_SPECIFIC],
  ["expect", FieldKind.EXPECT],
  ["priority", FieldKind.PRIORITY],
  ["authorization", FieldKind.CREDENTIALS],
  ["proxy-authorization", FieldKind.CREDENTIALS],
  ["set-cookie", FieldKind.CREDENTIALS],
]);

/** Names by which applications pass secrets on: x-api-key, x-auth-token, x-csrf-token, x-goog-iap-jwt-assertion ... */
const SECRET = /auth|token|secret|passw|session|cookie|signature|credential|jwt|csrf|xsrf|key$/i;

/** Longer names are not worth a look. */
const LONG_NAME = 64;

/** The FieldKind of a lower-case name. Of the others, those that HTTP/2 does not allow, only what may be a secret matters. */
export function fieldKindOf(name: string): number {
  const kind = KINDS.get(name);
  if (kind !== undefined) return kind;
  if (name.charCodeAt(0) === 0x3a) return FieldKind.UNKNOWN_PSEUDO;
  return name.length > LONG_NAME || SECRET.test(name) ? FieldKind.CREDENTIALS : FieldKind.OTHER;
}

/** Facts about a field, or-ed together over the bytes of its value, and three about the whole field. */
export const FieldFlag = {
  /** A control character other than tab, or DEL. */
  CONTROL: 1,
  /** A space or tab. */
  SPACE: 2,
  /** A letter A … Z. */
  UPPER: 4,
  /** "#". */
  HASH: 8,
  /** A character that is not allowed in a token (RFC 9110 §5.6.2). */
  NOT_TOKEN: 16,
  /** A byte of 0x80 or above. */
  OBS_TEXT: 32,
  /** A character that is not a lower-case token character. */
  NOT_NAME: 64,
  /** A character other than 0 … 9. */
  NOT_DIGIT: 128,
  /** The value begins or ends with a space or tab. */
  EDGE_SPACE: 256,
  /** The name is empty or not a lower-case token, with one leading colon at most. */
  BAD_NAME: 512,
  /** The sender asked that this field is never put into a table (RFC 7541 §6.2.3). */
  NEVER_INDEXED: 1024,
} as const;

function isTokenByte(byte: number): boolean {
  if (byte >= 0x30 && byte <= 0x39) return true;
  if (byte >= 0x41 && byte <= 0x5a) return true;
  if (byte >= 0x61 && byte <= 0x7a) return true;
  return byte < 0x80 && "!#$%&'*+-.^_`|~".includes(String.fromCharCode(byte));
}

function classOf(byte: number): number {
  let flags = 0;
  if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) flags |= FieldFlag.CONTROL;
  if (byte === 0x20 || byte === 0x09) flags |= FieldFlag.SPACE;
  if (byte >= 0x41 && byte <= 0x5a) flags |= FieldFlag.UPPER | FieldFlag.NOT_NAME;
  if (byte === 0x23) flags |= FieldFlag.HASH;
  if (!isTokenByte(byte)) flags |= FieldFlag.NOT_TOKEN | FieldFlag.NOT_NAME;
  if (byte >= 0x80) flags |= FieldFlag.OBS_TEXT;
  if (byte < 0x30 || byte > 0x39) flags |= FieldFlag.NOT_DIGIT;
  return flags;
}

/** The FieldFlag bits of one byte, by byte. */
export const BYTE_CLASS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => classOf(byte));

/** The flags of the value `buf[start, end)`. */
export function classifyValue(buf: Buffer, start: number, end: number): number {
  if (start === end) return 0;
  let flags = 0;
  for (let at = start; at < end; at++) flags |= BYTE_CLASS[buf[at] ?? 0] ?? 0;
  if ((flags & FieldFlag.SPACE) !== 0) {
    const edges = (BYTE_CLASS[buf[start] ?? 0] ?? 0) | (BYTE_CLASS[buf[end - 1] ?? 0] ?? 0);
    if ((edges & FieldFlag.SPACE) !== 0) flags |= FieldFlag.EDGE_SPACE;
  }
  return flags;
}

/** BAD_NAME when `buf[start, end)` is not a field name that HTTP/2 allows (RFC 9113 §8.2.1), else 0. */
export function classifyName(buf: Buffer, start: number, end: number): number {
  let at = start;
  if (at < end && buf[at] === 0x3a) at++;
  if (at === end) return FieldFlag.BAD_NAME;
  let flags = 0;
  for (; at < end; at++) flags |= BYTE_CLASS[buf[at] ?? 0] ?? 0;
  return (flags & FieldFlag.NOT_NAME) === 0 ? 0 : FieldFlag.BAD_NAME;
}

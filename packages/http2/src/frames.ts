// Frame types, flags, settings and sizes of HTTP/2 (RFC 9113 §6, §11; RFC 8441; RFC 9218).

/** Frame types. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
  PRIORITY_UPDATE: 0x10,
} as const;

/** Frame flags; ACK and END_STREAM share a bit on different types. */
export const FrameFlag = {
  ACK: 0x1,
  END_STREAM: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** Identifiers of settings. */
export const SettingId = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
  ENABLE_CONNECT_PROTOCOL: 0x8,
  NO_RFC7540_PRIORITIES: 0x9,
} as const;

/** Length of a frame header. */
export const FRAME_HEADER_BYTES = 9;

/** SETTINGS_MAX_FRAME_SIZE until the peer says otherwise, and its least value. */
export const DEFAULT_MAX_FRAME_BYTES = 16_384;

/** The largest SETTINGS_MAX_FRAME_SIZE. */
export const LARGEST_MAX_FRAME_BYTES = 0xff_ffff;

/** Flow-control windows before any setting (RFC 9113 §6.9.2). */
export const DEFAULT_WINDOW = 65_535;

/** The largest window and the largest stream id: 2³¹−1. */
export const MAX_31_BIT = 0x7fff_ffff;

/** What a client sends first (RFC 9113 §3.4). */
export const CLIENT_PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** The unsigned 32-bit number at `at`. */
export function readU32(buf: Uint8Array, at: number): number {
  return (buf[at] ?? 0) * 0x100_0000 + (((buf[at + 1] ?? 0) << 16) | ((buf[at + 2] ?? 0) << 8) | (buf[at + 3] ?? 0));
}

/** The 31-bit number at `at`; the reserved bit is ignored. */
export function readU31(buf: Uint8Array, at: number): number {
  return (((buf[at] ?? 0) & 0x7f) << 24) | ((buf[at + 1] ?? 0) << 16) | ((buf[at + 2] ?? 0) << 8) | (buf[at + 3] ?? 0);
}

/** Stores `value` (0 … 2³²−1) at `at`. */
export function writeU32(buf: Buffer, at: number, value: number): void {
  buf[at] = value >>> 24;
  buf[at + 1] = value >>> 16;
  buf[at + 2] = value >>> 8;
  buf[at + 3] = value;
}

// For tests: frames as text, both ways. A line is TYPE, FLAGS, stream=N and payload items:
//   "text"  x:0a0b (hex)  u8:5  u16:5  u32:5  zeros:100  {name: value} (a header field as a plain literal)
//   NAME=value (a setting)

import { CLIENT_PREFACE, FRAME_HEADER_BYTES, FrameFlag, FrameType, readU31, readU32, SettingId } from "../frames.ts";
import { FieldFlag } from "../field-kind.ts";
import { HpackDecoder } from "../hpack/decoder.ts";

const TYPES: ReadonlyMap<string, number> = new Map(Object.entries(FrameType));
const SETTINGS: ReadonlyMap<string, number> = new Map(Object.entries(SettingId));
const FLAGS: ReadonlyMap<string, number> = new Map(Object.entries(FrameFlag));

function u(value: number, bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(value, 0, bytes);
  return out;
}

/** A literal field without indexing and without Huffman code; lengths below 127. */
export function literalField(name: string, value: string): Buffer {
  const text = (part: string): Buffer => {
    if (part.length < 127) return Buffer.concat([u(part.length, 1), Buffer.from(part, "latin1")]);
    const length: number[] = [127];
    let rest = part.length - 127;
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    return Buffer.concat([Buffer.from([...length, rest]), Buffer.from(part, "latin1")]);
  };
  return Buffer.concat([u(0, 1), text(name), text(value)]);
}

function item(text: string): Buffer {
  if (text.startsWith('"')) return Buffer.from(text.slice(1, -1), "latin1");
  if (text.startsWith("{")) {
    const split = text.indexOf(":", 2);
    return literalField(
      text.slice(1, split),
      text
        .slice(split + 1, -1)
        .replace(/^ /, "")
        .replaceAll("\\0", "\0")
        .replaceAll("\\n", "\n"),
    );
  }
  const [key = "", value = ""] = text.split(":");
  if (key === "x") return Buffer.from(value, "hex");
  if (key === "zeros") return Buffer.alloc(Number(value));
  if (key === "u8") return u(Number(value), 1);
  if (key === "u16") return u(Number(value), 2);
  if (key === "u32") return u(Number(value), 4);
  const [name = "", setting = ""] = text.split("=");
  const id = SETTINGS.get(name) ?? Number(name);
  if (Number.isNaN(id)) throw new Error(`what is ${text}?`);
  return Buffer.concat([u(id, 2), u(Number(setting), 4)]);
}

/** A frame from its parts. */
export function frame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([u(payload.length, 3), u(type, 1), u(flags, 1), u(streamId, 4), payload]);
}

/** The bytes of one line. */
export function parseFrame(line: string): Buffer {
  if (line === "PREFACE") return CLIENT_PREFACE;
  const words = line.match(/"[^"]*"|\{[^}]*\}|\S+/g) ?? [];
  const [name = ""] = words;
  if (name === "RAW") return Buffer.concat(words.slice(1).map(item));
  const type = TYPES.get(name) ?? (name.startsWith("TYPE") ? Number(name.slice(4)) : undefined);
  if (type === undefined) throw new Error(`unknown frame ${name}`);
  let flags = 0;
  let streamId = 0;
  let length: number | undefined;
  const payload: Buffer[] = [];
  for (const word of words.slice(1)) {
    if (FLAGS.has(word)) flags |= FLAGS.get(word) ?? 0;
    else if (word.startsWith("stream=")) streamId = Number(word.slice(7));
    else if (word.startsWith("length=")) length = Number(word.slice(7));
    else payload.push(item(word));
  }
  const bytes = frame(type, flags, streamId, Buffer.concat(payload));
  if (length !== undefined) bytes.writeUIntBE(length, 0, 3);
  return bytes;
}

/** The table size updates that a header block begins with (RFC 7541 §6.3). */
function tableSizes(block: Buffer): string[] {
  const sizes: string[] = [];
  let at = 0;
  while (((block[at] ?? 0) & 0xe0) === 0x20) {
    let size = (block[at++] ?? 0) & 0x1f;
    if (size === 0x1f) {
      for (let shift = 0, more = true; more; shift += 7) {
        const byte = block[at++] ?? 0;
        size += (byte & 0x7f) * 2 ** shift;
        more = byte >= 0x80;
      }
    }
    sizes.push(`table-size=${size}`);
  }
  return sizes;
}

const SENT_FLAGS: ReadonlyMap<number, number> = new Map([
  [FrameType.DATA, 1],
  [FrameType.HEADERS, 1 | FrameFlag.END_HEADERS],
  [FrameType.CONTINUATION, FrameFlag.END_HEADERS],
  [FrameType.SETTINGS, 1],
  [FrameType.PING, 1],
]);

/** Prints what an endpoint sent, frame by frame; keeps the HPACK state from call to call. */
export class FramePrinter {
  readonly #decoder = new HpackDecoder();
  #pending: Buffer = Buffer.alloc(0);
  #block: Buffer | undefined;

  /** The lines of the complete frames in what came so far. */
  print(bytes: Buffer): string[] {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    const lines: string[] = [];
    if (this.#pending.subarray(0, CLIENT_PREFACE.length).equals(CLIENT_PREFACE)) {
      this.#pending = this.#pending.subarray(CLIENT_PREFACE.length);
      lines.push("PREFACE");
    }
    while (this.#pending.length >= FRAME_HEADER_BYTES) {
      const length = this.#pending.readUIntBE(0, 3);
      if (this.#pending.length < FRAME_HEADER_BYTES + length) break;
      const payload = this.#pending.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length);
      lines.push(this.#line(this.#pending[3] ?? 0, this.#pending[4] ?? 0, readU31(this.#pending, 5), payload));
      if (((this.#pending[5] ?? 0) & 0x80) !== 0) lines.push("the reserved bit is set");
      this.#pending = this.#pending.subarray(FRAME_HEADER_BYTES + length);
    }
    return lines;
  }

  #line(type: number, flags: number, streamId: number, payload: Buffer): string {
    const name = [...TYPES].find(([, value]) => value === type)?.[0] ?? `TYPE${type}`;
    const words = [name];
    if ((flags & 1) !== 0) words.push(type === FrameType.SETTINGS || type === FrameType.PING ? "ACK" : "END_STREAM");
    if (streamId !== 0) words.push(`stream=${streamId}`);
    // No flag is sent that means nothing for its frame, nor padding or priority: a case that sees one shows it.
    const strange = flags & ~(SENT_FLAGS.get(type) ?? 0);
    if (strange !== 0) words.push(`flags=0x${strange.toString(16)}`);
    switch (type) {
      case FrameType.DATA:
        words.push(
          /^[\x21-\x7e ]{0,40}$/.test(payload.toString("latin1"))
            ? `"${payload.toString("latin1")}"`
            : `${payload.length} bytes`,
        );
        break;
      case FrameType.HEADERS:
      case FrameType.CONTINUATION:
        this.#block = this.#block === undefined ? payload : Buffer.concat([this.#block, payload]);
        if ((flags & FrameFlag.END_HEADERS) === 0) {
          words.push(`${payload.length} bytes`);
          break;
        }
        words.push(...tableSizes(this.#block));
        if (
          !this.#decoder.decode(this.#block, 0, this.#block.length, {
            onField: (n, v, _kind, flags) =>
              words.push(`{${n}: ${v}}${(flags & FieldFlag.NEVER_INDEXED) !== 0 ? " never-indexed" : ""}`),
          })
        ) {
          words.push(`undecodable: ${this.#decoder.problem}`);
        }
        this.#block = undefined;
        break;
      case FrameType.SETTINGS:
        for (let at = 0; at < payload.length; at += 6) {
          const id = payload.readUInt16BE(at);
          words.push(`${[...SETTINGS].find(([, value]) => value === id)?.[0] ?? id}=${readU32(payload, at + 2)}`);
        }
        break;
      case FrameType.GOAWAY:
        words.push(`last=${readU31(payload, 0)}`, `code=${readU32(payload, 4)}`);
        break;
      case FrameType.WINDOW_UPDATE:
      case FrameType.RST_STREAM:
        words.push(String(readU32(payload, 0)));
        break;
      default:
        words.push(`x:${payload.toString("hex")}`);
    }
    return words.join(" ");
  }
}

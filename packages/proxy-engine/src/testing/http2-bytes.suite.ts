// HTTP/2 written and read by hand, so that tests can say what no honest codec would.

import { connect, type Socket } from "node:net";
import { CLIENT_PREFACE } from "@ripstop/http2";

/** Frame types (RFC 9113 §6). */
export const Frame = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Frame flags. */
export const Flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4 } as const;

/** One frame. */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Frames of `type` in what was received. */
export function framesOf(received: Buffer, type: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 9 <= received.length;) {
    const length = received.readUIntBE(at, 3);
    if (received[at + 3] === type) found.push(received.subarray(at, at + 9 + length));
    at += 9 + length;
  }
  return found;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length: number[] = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** A header block of literal fields without indexing (RFC 7541 §6.2.2). */
export function block(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** A field that goes into the dynamic table (§6.2.1). */
export function indexed(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x40]), text(name), text(value)]);
}

/** 32-bit number. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Preface and SETTINGS. */
export function hello(settings: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([CLIENT_PREFACE, frame(Frame.SETTINGS, 0, 0, settings)]);
}

/** The acknowledgement of the peer's SETTINGS. */
export const acknowledged: Buffer = frame(Frame.SETTINGS, Flag.ACK, 0);

/** The head of a request. */
export function requestHead(authority: string, extra: readonly (readonly [string, string])[] = []): Buffer {
  return block([[":method", "GET"], [":scheme", "http"], [":path", "/"], [":authority", authority], ...extra]);
}

/** A client that says hello and then what the test wants. */
export class RawHttp2Client {
  readonly socket: Socket;
  closed = false;
  /** The connection broke instead of ending: a GOAWAY may be lost with it. */
  lost = false;
  #received: Buffer[] = [];
  #wake: () => void = () => undefined;

  constructor(port: number, settings?: Buffer) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#wake();
    });
    this.socket.on("drain", () => this.#wake());
    this.socket.on("close", () => {
      this.closed = true;
      this.#wake();
    });
    this.socket.on("error", () => (this.lost = true));
    this.socket.write(Buffer.concat([hello(settings), acknowledged]));
  }

  get received(): Buffer {
    const all = Buffer.concat(this.#received);
    this.#received = [all];
    return all;
  }

  /** The error code of the last GOAWAY; -1 without one. */
  get goaway(): number {
    return framesOf(this.received, Frame.GOAWAY).at(-1)?.readUInt32BE(13) ?? -1;
  }

  /** Writes, waiting when the socket is full; stops when the connection is closed. */
  async write(bytes: Buffer): Promise<void> {
    if (this.closed || !this.socket.writable || this.socket.write(bytes)) return;
    await this.#when(() => this.closed || this.socket.writableLength === 0);
  }

  /** Waits until the peer has closed the connection. */
  untilClosed(): Promise<void> {
    return this.#when(() => this.closed);
  }

  /** Waits until the peer has handled all that was sent. */
  async roundTrip(): Promise<void> {
    const answers = (): number => framesOf(this.received, Frame.PING).length;
    const before = answers();
    await this.write(frame(Frame.PING, 0, 0, Buffer.alloc(8)));
    await this.#when(() => this.closed || answers() > before);
  }

  /** Waits until frame `type` came. */
  untilFrame(type: number): Promise<void> {
    return this.#when(() => this.closed || framesOf(this.received, type).length > 0);
  }

  async #when(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

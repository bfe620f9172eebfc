// Reads the first message of a TLS client, ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2), without taking
// part in the handshake: which server it wants (server name, RFC 6066 section 3), and which protocols it offers (RFC 7301).

import { isIP } from "node:net";

/** What a ClientHello says. */
export interface ClientHello {
  /**
   * Lower case, without a trailing dot; "" when the client sent none, or an address (which RFC 6066 forbids). With
   * Encrypted Client Hello this is the public name of the outer hello.
   */
  readonly serverName: string;
  /** Protocols that the client offers, in its order of preference. */
  readonly alpn: readonly string[];
  /** The hello carries an encrypted one (extension encrypted_client_hello). */
  readonly encrypted: boolean;
}

/** How far the reading is: more bytes are needed, the hello is complete, or the bytes are no ClientHello. */
export type HelloState = "more" | "complete" | "invalid";

/** Longest ClientHello that is read, its header included. */
export const MAX_HELLO_BYTES: number = 64 * 1024;
/** Longest sequence of records that it may come in, record headers included. */
export const MAX_HELLO_RECORD_BYTES: number = 96 * 1024;

const RECORD_HEADER_BYTES = 5;
const MAX_FRAGMENT_BYTES = 16_384;
const HANDSHAKE_RECORD = 22;
const HANDSHAKE_HEADER_BYTES = 4;
const CLIENT_HELLO = 1;
const FIRST_BUFFER_BYTES = 2_048;

const SERVER_NAME = 0;
const ALPN = 16;
const ENCRYPTED_CLIENT_HELLO = 0xfe0d;
const HOST_NAME = 0;
const MAX_NAME_BYTES = 253;

/** Reads one ClientHello from whatever pieces it comes in, at a cost in proportion to its length. */
export class ClientHelloReader {
  state: HelloState = "more";
  /** Set when the state is "complete". */
  hello: ClientHello | undefined = undefined;
  /** Header of the record under way. */
  readonly #header: Buffer = Buffer.alloc(RECORD_HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes of the record under way that are still to come. */
  #fragmentLeft = 0;
  #message: Buffer = Buffer.alloc(0);
  #messageBytes = 0;
  /** Length of the whole message; 0 until its header is there. */
  #wanted = 0;
  #read = 0;

  /** Takes the next bytes of the connection; after "complete" and "invalid" nothing changes any more. */
  feed(buf: Uint8Array, start: number, end: number): HelloState {
    let at = start;
    while (at < end && this.state === "more") {
      if (this.#fragmentLeft === 0) {
        this.#header[this.#headerBytes++] = buf[at++] ?? 0;
        this.#read++;
        this.#checkHeader();
      } else {
        const taken = Math.min(end - at, this.#fragmentLeft, this.#missing());
        this.#append(buf, at, at + taken);
        at += taken;
        this.#read += taken;
        this.#fragmentLeft -= taken;
        this.#checkMessage();
      }
      if (this.#read > MAX_HELLO_RECORD_BYTES) this.state = "invalid";
    }
    return this.state;
  }

  /** Each byte of a record header as soon as it is there, so that other protocols are told apart at once. */
  #checkHeader(): void {
    const [type, major] = this.#header;
    if (type !== HANDSHAKE_RECORD || (this.#headerBytes >= 2 && major !== 3)) {
      this.state = "invalid";
      return;
    }
    if (this.#headerBytes < RECORD_HEADER_BYTES) return;
    this.#headerBytes = 0;
    this.#fragmentLeft = this.#header.readUInt16BE(3);
    // Handshake records are never empty (RFC 8446 section 5.1).
    if (this.#fragmentLeft === 0 || this.#fragmentLeft > MAX_FRAGMENT_BYTES) this.state = "invalid";
  }

  /** Bytes until the next thing that can be checked. */
  #missing(): number {
    return (this.#wanted === 0 ? HANDSHAKE_HEADER_BYTES : this.#wanted) - this.#messageBytes;
  }

  #append(buf: Uint8Array, start: number, end: number): void {
    const needed = this.#messageBytes + end - start;
    if (needed > this.#message.length) {
      const grown = Buffer.alloc(Math.max(FIRST_BUFFER_BYTES, 2 * this.#message.length, needed));
      this.#message.copy(grown, 0, 0, this.#messageBytes);
      this.#message = grown;
    }
    this.#message.set(buf.subarray(start, end), this.#messageBytes);
    this.#messageBytes = needed;
  }

  #checkMessage(): void {
    if (this.#wanted === 0) {
      if (this.#message[0] !== CLIENT_HELLO) {
        this.state = "invalid";
        return;
      }
      if (this.#messageBytes < HANDSHAKE_HEADER_BYTES) return;
      this.#wanted = HANDSHAKE_HEADER_BYTES + this.#message.readUIntBE(1, 3);
      if (this.#wanted > MAX_HELLO_BYTES) {
        this.state = "invalid";
        return;
      }
    }
    if (this.#messageBytes < this.#wanted) return;
    this.hello = parseHello(new ByteReader(this.#message, HANDSHAKE_HEADER_BYTES, this.#wanted));
    this.state = this.hello === undefined ? "invalid" : "complete";
    this.#message = Buffer.alloc(0);
  }
}

/** Reads within bounds; what would go beyond them makes the whole invalid. */
class ByteReader {
  readonly #buf: Buffer;
  #at: number;
  readonly #end: number;
  failed = false;

  constructor(buf: Buffer, start: number, end: number) {
    this.#buf = buf;
    this.#at = start;
    this.#end = end;
  }

  get left(): number {
    return this.failed ? 0 : this.#end - this.#at;
  }

  /** An unsigned number of 1 or 2 bytes; 0 after a failure. */
  number(bytes: 1 | 2): number {
    if (this.left < bytes) {
      this.failed = true;
      return 0;
    }
    const value = this.#buf.readUIntBE(this.#at, bytes);
    this.#at += bytes;
    return value;
  }

  /** The next bytes, whose length stands before them in `lengthBytes` bytes. */
  vector(lengthBytes: 1 | 2): ByteReader {
    return this.take(this.number(lengthBytes));
  }

  take(bytes: number): ByteReader {
    if (this.left < bytes) this.failed = true;
    if (this.failed) return FAILED;
    const part = new ByteReader(this.#buf, this.#at, this.#at + bytes);
    this.#at += bytes;
    return part;
  }

  text(): string {
    return this.failed ? "" : this.#buf.latin1Slice(this.#at, this.#end);
  }
}

const FAILED = new ByteReader(Buffer.alloc(0), 0, 0);
FAILED.failed = true;

function parseHello(reader: ByteReader): ClientHello | undefined {
  const version = reader.number(2);
  const random = reader.take(32);
  const session = reader.vector(1);
  const suites = reader.vector(2);
  const compressions = reader.vector(1);
  if (reader.failed || random.failed || session.failed || suites.failed || compressions.failed) return undefined;
  if (version >> 8 !== 3 || session.left > 32) return undefined;
  if (suites.left < 2 || suites.left % 2 !== 0 || compressions.left < 1) return undefined;
  // A hello of old may end here.
  if (reader.left === 0) return { serverName: "", alpn: [], encrypted: false };
  const extensions = reader.vector(2);
  return extensions.failed || reader.left > 0 ? undefined : parseExtensions(extensions);
}

function parseExtensions(extensions: ByteReader): ClientHello | undefined {
  const seen = new Set<number>();
  let serverName = "";
  let alpn: readonly string[] = [];
  let encrypted = false;
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const body = extensions.vector(2);
    // Each at most once (RFC 8446 section 4.2): two server names could be read differently by two readers.
    if (body.failed || seen.has(type)) return undefined;
    seen.add(type);
    if (type === SERVER_NAME) {
      const name = parseServerName(body);
      if (name === undefined) return undefined;
      serverName = name;
    } else if (type === ALPN) {
      const offered = parseAlpn(body);
      if (offered === undefined) return undefined;
      alpn = offered;
    } else if (type === ENCRYPTED_CLIENT_HELLO) encrypted = true;
    // Anything else, the meaningless values of RFC 8701 (GREASE) included, says nothing here.
  }
  return extensions.failed ? undefined : { serverName, alpn, encrypted };
}

/** The only name that there may be; "" for an address, undefined when it is malformed. */
function parseServerName(body: ByteReader): string | undefined {
  const list = body.vector(2);
  if (list.failed || body.left > 0) return undefined;
  const type = list.number(1);
  const name = list.vector(2);
  if (name.failed || list.left > 0 || type !== HOST_NAME) return undefined;
  const text = name.text().toLowerCase();
  const host = text.endsWith(".") ? text.slice(0, -1) : text;
  if (host === "" || host.length > MAX_NAME_BYTES) return undefined;
  if (isIP(host) !== 0) return "";
  for (let at = 0; at < host.length; at++) {
    const code = host.charCodeAt(at);
    const isLetterOrDigit = (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39);
    // Letters, digits, "-", "." and "_".
    if (!isLetterOrDigit && code !== 0x2d && code !== 0x2e && code !== 0x5f) return undefined;
  }
  return host;
}

function parseAlpn(body: ByteReader): readonly string[] | undefined {
  const list = body.vector(2);
  if (list.failed || body.left > 0 || list.left === 0) return undefined;
  const offered: string[] = [];
  while (list.left > 0) {
    const name = list.vector(1);
    if (name.failed || name.left === 0) return undefined;
    offered.push(name.text());
  }
  return offered;
}

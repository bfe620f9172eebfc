// A TLS 1.3 client (RFC 8446) that presents whatever bytes it is given as its certificates: libraries refuse to send
// what a hostile peer sends. One cipher suite, one group, no checks of the server: for tests of servers only.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  sign,
  constants,
  type KeyObject,
} from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Presented } from "./certificate-lab.ts";

/** Where to, and with what. */
export interface RawTlsOptions extends Presented {
  readonly host: string;
  readonly port: number;
  readonly serverName: string;
  readonly alpn: string;
  /** The key that signs the handshake, when it is not the leaf's. */
  readonly signWith?: KeyObject;
}

/** What became of it: "open" when the server sent application data, else how it ended. */
export type RawTlsFate = "open" | `alert ${number}` | "closed";

const X25519_PREFIX = Buffer.from("302a300506032b656e032100", "hex");
const HASH_LENGTH = 32;
const RECORD = 16_384;

/** Shakes hands and waits for the server's first application record, its alert, or its end. */
export function rawTls(options: RawTlsOptions): Promise<RawTlsFate> {
  return new Promise((resolve) => {
    const socket = connect(options.port, options.host);
    new Client(socket, options, (fate) => {
      resolve(fate);
      socket.destroy();
    });
  });
}

interface Keys {
  readonly key: Buffer;
  readonly iv: Buffer;
  readonly secret: Buffer;
  sequence: number;
}

class Client {
  readonly #socket: Socket;
  readonly #options: RawTlsOptions;
  readonly #done: (fate: RawTlsFate) => void;
  readonly #share = generateKeyPairSync("x25519");
  #transcript: Buffer = Buffer.alloc(0);
  #received: Buffer = Buffer.alloc(0);
  #messages: Buffer = Buffer.alloc(0);
  #reading: Keys | undefined;
  #writing: Keys | undefined;
  #handshakeSecret: Buffer = Buffer.alloc(0);
  #context: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, options: RawTlsOptions, done: (fate: RawTlsFate) => void) {
    this.#socket = socket;
    this.#options = options;
    this.#done = done;
    socket.on("error", () => undefined);
    socket.on("close", () => done("closed"));
    socket.on("data", (chunk) => this.#onData(chunk));
    socket.on("connect", () => this.#hello());
  }

  #hello(): void {
    const { serverName, alpn } = this.#options;
    const spki = this.#share.publicKey.export({ format: "der", type: "spki" });
    const extensions = Buffer.concat([
      field(0, vector(2, Buffer.concat([Buffer.of(0), vector(2, Buffer.from(serverName))]))),
      field(43, vector(1, Buffer.of(3, 4))),
      field(13, vector(2, Buffer.from("04030503080408050806040105010601", "hex"))),
      field(10, vector(2, Buffer.of(0, 0x1d))),
      field(51, vector(2, Buffer.concat([Buffer.of(0, 0x1d), vector(2, spki.subarray(-32))]))),
      field(16, vector(2, vector(1, Buffer.from(alpn)))),
    ]);
    const body = Buffer.concat([
      Buffer.of(3, 3),
      randomBytes(32),
      vector(1, randomBytes(32)),
      vector(2, Buffer.of(0x13, 0x01)),
      vector(1, Buffer.of(0)),
      vector(2, extensions),
    ]);
    const message = handshake(1, body);
    this.#transcript = Buffer.concat([this.#transcript, message]);
    this.#socket.write(Buffer.concat([Buffer.of(22, 3, 1), vector(2, message)]));
  }

  #onData(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 5) {
      const length = this.#received.readUInt16BE(3);
      if (this.#received.length < 5 + length) return;
      const record = this.#received.subarray(0, 5 + length);
      this.#received = this.#received.subarray(5 + length);
      this.#onRecord(record);
    }
  }

  #onRecord(record: Buffer): void {
    const type = record[0];
    if (type === 20) return;
    if (type === 21) this.#done(`alert ${record[6] ?? 0}`);
    else if (type === 22) this.#onHandshake(record.subarray(5));
    else if (this.#reading) this.#onOpened(open(this.#reading, record));
  }

  #onOpened(inner: Buffer): void {
    let end = inner.length - 1;
    while (end > 0 && inner[end] === 0) end--;
    const type = inner[end];
    const content = inner.subarray(0, end);
    if (type === 21) this.#done(`alert ${content[1] ?? 0}`);
    else if (type === 22) this.#onHandshake(content);
    else this.#done("open");
  }

  #onHandshake(bytes: Buffer): void {
    this.#messages = Buffer.concat([this.#messages, bytes]);
    while (this.#messages.length >= 4) {
      const length = this.#messages.readUIntBE(1, 3);
      if (this.#messages.length < 4 + length) return;
      const message = this.#messages.subarray(0, 4 + length);
      this.#messages = this.#messages.subarray(4 + length);
      this.#onMessage(message[0] ?? 0, message);
    }
  }

  #onMessage(type: number, message: Buffer): void {
    // New session tickets come after the handshake.
    if (type === 4) return;
    this.#transcript = Buffer.concat([this.#transcript, message]);
    if (type === 2) this.#onServerHello(message);
    if (type === 13) this.#context = Buffer.from(message.subarray(5, 5 + (message[4] ?? 0)));
    if (type === 20) {
      // In one piece, as real clients send it: what OpenSSL says of a certificate depends on what it reads with it.
      this.#socket.cork();
      this.#answer();
      this.#socket.uncork();
    }
  }

  #onServerHello(message: Buffer): void {
    let at = 4 + 2 + 32;
    at += 1 + (message[at] ?? 0) + 2 + 1 + 2;
    let share: Buffer | undefined;
    while (at + 4 <= message.length) {
      const length = message.readUInt16BE(at + 2);
      if (message.readUInt16BE(at) === 51) share = message.subarray(at + 8, at + 4 + length);
      at += 4 + length;
    }
    if (!share) {
      this.#done("closed");
      return;
    }
    const publicKey = createPublicKey({ key: Buffer.concat([X25519_PREFIX, share]), format: "der", type: "spki" });
    const shared = diffieHellman({ privateKey: this.#share.privateKey, publicKey });
    const early = extract(Buffer.alloc(HASH_LENGTH), Buffer.alloc(HASH_LENGTH));
    this.#handshakeSecret = extract(derive(early, "derived", sha256(Buffer.alloc(0))), shared);
    const hash = sha256(this.#transcript);
    this.#reading = keysOf(derive(this.#handshakeSecret, "s hs traffic", hash));
    this.#writing = keysOf(derive(this.#handshakeSecret, "c hs traffic", hash));
  }

  /** The server has finished: application keys for reading, then our own flight. */
  #answer(): void {
    const master = extract(
      derive(this.#handshakeSecret, "derived", sha256(Buffer.alloc(0))),
      Buffer.alloc(HASH_LENGTH),
    );
    const hash = sha256(this.#transcript);
    this.#reading = keysOf(derive(master, "s ap traffic", hash));
    const { chain, key, signWith = key } = this.#options;
    const entries = chain.map((certificate) => Buffer.concat([vector(3, certificate), vector(2, Buffer.alloc(0))]));
    this.#send(handshake(11, Buffer.concat([vector(1, this.#context), vector(3, Buffer.concat(entries))])));
    if (chain.length > 0) {
      const content = Buffer.concat([
        Buffer.alloc(64, 0x20),
        Buffer.from("TLS 1.3, client CertificateVerify\0", "latin1"),
        sha256(this.#transcript),
      ]);
      const { scheme, signature } = signHandshake(signWith, content);
      this.#send(handshake(15, Buffer.concat([scheme, vector(2, signature)])));
    }
    const finishedKey = expand(this.#writing?.secret ?? Buffer.alloc(0), "finished", Buffer.alloc(0), HASH_LENGTH);
    this.#send(handshake(20, createHmac("sha256", finishedKey).update(sha256(this.#transcript)).digest()));
  }

  #send(message: Buffer): void {
    this.#transcript = Buffer.concat([this.#transcript, message]);
    const keys = this.#writing;
    if (!keys) return;
    for (let at = 0; at < message.length; at += RECORD) {
      this.#socket.write(seal(keys, Buffer.concat([message.subarray(at, at + RECORD), Buffer.of(22)])));
    }
  }
}

function signHandshake(key: KeyObject, content: Buffer): { readonly scheme: Buffer; readonly signature: Buffer } {
  if (key.asymmetricKeyType === "rsa") {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return { scheme: Buffer.of(8, 4), signature: sign("sha256", content, { key, padding, saltLength: 32 }) };
  }
  if (key.asymmetricKeyType === "ed25519") return { scheme: Buffer.of(8, 7), signature: sign(null, content, key) };
  const { namedCurve } = key.asymmetricKeyDetails ?? {};
  if (namedCurve === "secp384r1") return { scheme: Buffer.of(5, 3), signature: sign("sha384", content, key) };
  return { scheme: Buffer.of(4, 3), signature: sign("sha256", content, key) };
}

function keysOf(secret: Buffer): Keys {
  const none = Buffer.alloc(0);
  return { secret, key: expand(secret, "key", none, 16), iv: expand(secret, "iv", none, 12), sequence: 0 };
}

function nonce(keys: Keys): Buffer {
  const bytes = Buffer.from(keys.iv);
  bytes.writeUInt32BE((bytes.readUInt32BE(8) ^ keys.sequence++) >>> 0, 8);
  return bytes;
}

function seal(keys: Keys, inner: Buffer): Buffer {
  const header = Buffer.of(23, 3, 3, (inner.length + 16) >> 8, (inner.length + 16) & 0xff);
  const cipher = createCipheriv("aes-128-gcm", keys.key, nonce(keys)).setAAD(header);
  return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
}

function open(keys: Keys, record: Buffer): Buffer {
  const decipher = createDecipheriv("aes-128-gcm", keys.key, nonce(keys)).setAAD(record.subarray(0, 5));
  decipher.setAuthTag(record.subarray(-16));
  return Buffer.concat([decipher.update(record.subarray(5, -16)), decipher.final()]);
}

function sha256(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function extract(salt: Buffer, secret: Buffer): Buffer {
  return createHmac("sha256", salt).update(secret).digest();
}

function derive(secret: Buffer, label: string, hash: Buffer): Buffer {
  return expand(secret, label, hash, HASH_LENGTH);
}

/** HKDF-Expand-Label (RFC 8446 section 7.1), for at most one block of output. */
function expand(secret: Buffer, label: string, context: Buffer, length: number): Buffer {
  const info = Buffer.concat([Buffer.of(0, length), vector(1, Buffer.from(`tls13 ${label}`)), vector(1, context)]);
  return createHmac("sha256", secret)
    .update(Buffer.concat([info, Buffer.of(1)]))
    .digest()
    .subarray(0, length);
}

/** A length of `size` bytes, then the bytes. */
function vector(size: number, bytes: Buffer): Buffer {
  const length = Buffer.alloc(size);
  length.writeUIntBE(bytes.length, 0, size);
  return Buffer.concat([length, bytes]);
}

function field(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.of(type >> 8, type & 0xff), vector(2, value)]);
}

function handshake(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.of(type), vector(3, body)]);
}

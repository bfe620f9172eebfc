// TLS 1.3 spoken by hand behind a handshake of Node, so that tests can say what OpenSSL never would: records of a client
// made from its traffic secret (RFC 8446 sections 5.2, 7.2 and 7.3).

import { createCipheriv, createHmac } from "node:crypto";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as tlsConnect, type ConnectionOptions } from "node:tls";

const CIPHER = "TLS_AES_128_GCM_SHA256";
const HASH = "sha256";
const SECRET_BYTES = 32;
const KEY_BYTES = 16;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;

/** HKDF-Expand-Label with an empty context, for lengths of one block of the hash. */
function expand(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`, "latin1");
  const info = Buffer.concat([Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]);
  return createHmac(HASH, secret).update(info).digest().subarray(0, length);
}

/** A client whose handshake is over, and whose records the test makes. */
export class RawTlsClient {
  readonly socket: Socket;
  closed = false;
  receivedBytes = 0;
  #secret: Buffer;
  #sequence = 0n;

  private constructor(socket: Socket, secret: Buffer) {
    this.socket = socket;
    this.#secret = secret;
    socket.on("close", () => (this.closed = true));
    socket.on("data", (chunk: Buffer) => (this.receivedBytes += chunk.length));
  }

  /** Finishes a handshake and takes the socket over. */
  static async connect(port: number, options: ConnectionOptions): Promise<RawTlsClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const relay = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, () => done()),
    });
    socket.on("data", (chunk: Buffer) => relay.push(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => relay.destroy());
    const tls = tlsConnect({ ...options, socket: relay, ciphers: CIPHER, minVersion: "TLSv1.3" });
    let secret: Buffer | undefined;
    tls.on("keylog", (line: Buffer) => {
      const [label, , hex = ""] = line.toString("latin1").trim().split(" ");
      if (label === "CLIENT_TRAFFIC_SECRET_0") secret = Buffer.from(hex, "hex");
    });
    tls.on("error", () => undefined);
    await new Promise<void>((resolve, reject) => {
      tls.once("secureConnect", () => resolve());
      tls.once("close", () => reject(new Error("the handshake failed")));
    });
    socket.removeAllListeners("data");
    if (secret?.length !== SECRET_BYTES) throw new Error("no secret was logged");
    return new RawTlsClient(socket, secret);
  }

  /** One record of application data. */
  data(text: string): Buffer {
    return this.#record(APPLICATION_DATA, Buffer.from(text, "latin1"));
  }

  /** One record with a KeyUpdate; the records after it are made with the next keys. */
  keyUpdate(asksForTheirs: boolean): Buffer {
    const record = this.#record(HANDSHAKE, Buffer.from([24, 0, 0, 1, asksForTheirs ? 1 : 0]));
    this.#secret = expand(this.#secret, "traffic upd", SECRET_BYTES);
    this.#sequence = 0n;
    return record;
  }

  /** Writes below the TLS; waits when the socket is full, and stops when it is closed. */
  async write(bytes: Buffer): Promise<void> {
    const { socket } = this;
    if (this.closed || !socket.writable || socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      socket.once("drain", resolve);
      socket.once("close", resolve);
    });
  }

  #record(type: number, content: Buffer): Buffer {
    const iv = expand(this.#secret, "iv", IV_BYTES);
    for (let at = 0; at < 8; at++) {
      const byte = Number((this.#sequence >> BigInt(8 * (7 - at))) & 0xffn);
      iv[IV_BYTES - 8 + at] = (iv[IV_BYTES - 8 + at] ?? 0) ^ byte;
    }
    this.#sequence++;
    const header = Buffer.from([APPLICATION_DATA, 3, 3, 0, 0]);
    header.writeUInt16BE(content.length + 1 + TAG_BYTES, 3);
    const cipher = createCipheriv("aes-128-gcm", expand(this.#secret, "key", KEY_BYTES), iv);
    cipher.setAAD(header);
    const sealed = cipher.update(Buffer.concat([content, Buffer.from([type])]));
    return Buffer.concat([header, sealed, cipher.final(), cipher.getAuthTag()]);
  }
}

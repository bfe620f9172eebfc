// One mutual-TLS connection to an inbound proxy with one HTTP/2 request on it, written byte by byte so that the load
// program costs little.

import { readFileSync } from "node:fs";
import { connect, createSecureContext, type TLSSocket } from "node:tls";

/** Where to connect and as whom. */
export interface MeshTarget {
  readonly port: number;
  readonly serverName: string;
  readonly chainFile: string;
  readonly keyFile: string;
  readonly bundleFile: string;
}

const END_STREAM = 0x1;
const ACK = 0x1;
const DATA = 0x0;
const HEADERS = 0x1;
const SETTINGS = 0x4;
const PING = 0x6;
const STATUS_200 = 0x88;
const TIMEOUT_MS = 15_000;

/** Preface, empty SETTINGS, and HEADERS of stream 1: GET https /, authority "backend" (RFC 9113 §3.4, RFC 7541 §6). */
const request = ((): Buffer => {
  const authority = Buffer.from("backend");
  const block = Buffer.concat([Buffer.from([0x82, 0x87, 0x84, 0x01, authority.length]), authority]);
  const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  const settings = Buffer.from([0, 0, 0, 0x4, 0, 0, 0, 0, 0]);
  const headers = Buffer.from([0, 0, block.length, HEADERS, 0x4 | END_STREAM, 0, 0, 0, 1]);
  return Buffer.concat([preface, settings, headers, block]);
})();

/** What became of a connection. */
export interface MeshAnswer {
  /** Still open; the caller ends it. */
  readonly socket: TLSSocket;
  readonly resumed: boolean;
}

/** Connects, with a session of an earlier connection if there is one, and resolves when the request was answered with 200. */
export class MeshClient {
  readonly #target: MeshTarget;
  readonly #context;
  #session: Buffer | undefined = undefined;

  constructor(target: MeshTarget) {
    this.#target = target;
    this.#context = createSecureContext({
      cert: readFileSync(target.chainFile),
      key: readFileSync(target.keyFile),
      ca: readFileSync(target.bundleFile),
      minVersion: "TLSv1.3",
    });
  }

  /** One connection; `resume` offers the latest session. */
  open(resume: boolean): Promise<MeshAnswer> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        port: this.#target.port,
        host: "127.0.0.1",
        servername: this.#target.serverName,
        secureContext: this.#context,
        ALPNProtocols: ["h2"],
        checkServerIdentity: () => undefined,
        ...(resume && this.#session !== undefined ? { session: this.#session } : {}),
      });
      let pending: Buffer = Buffer.alloc(0);
      socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("no answer in time")));
      socket.on("session", (session) => (this.#session = session));
      socket.once("secureConnect", () => socket.write(request));
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the proxy closed the connection")));
      const read = (chunk: Buffer): void => {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
        const state = answerIn(pending);
        if (state === undefined) return;
        // What comes later is read and forgotten, unless somebody listens.
        socket.off("data", read);
        socket.resume();
        socket.setTimeout(0);
        if (state) resolve({ socket, resumed: socket.isSessionReused() });
        else socket.destroy(new Error("the answer is not 200"));
      };
      socket.on("data", read);
    });
  }
}

/** Does on an answered connection what its peer may wait for: acknowledges SETTINGS, answers PING (RFC 9113 §6.5.3, §6.7). */
export function stayAlive(socket: TLSSocket): void {
  const acknowledge = (type: number, payload: Buffer): void => {
    socket.write(Buffer.concat([Buffer.from([0, 0, payload.length, type, ACK, 0, 0, 0, 0]), payload]));
  };
  acknowledge(SETTINGS, Buffer.alloc(0));
  let pending: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 9 && pending.length >= 9 + pending.readUIntBE(0, 3)) {
      const end = 9 + pending.readUIntBE(0, 3);
      if (pending[3] === PING && pending[4] === 0) acknowledge(PING, pending.subarray(9, end));
      pending = Buffer.from(pending.subarray(end));
    }
  });
}

/** True once stream 1 has ended with status 200, false when its status is another, undefined before its end. */
function answerIn(bytes: Buffer): boolean | undefined {
  let status = false;
  for (let at = 0; at + 9 <= bytes.length;) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) return undefined;
    const type = bytes[at + 3];
    const stream = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    // The status may stand behind a change of the table size.
    if (type === HEADERS && stream === 1)
      status ||= bytes.subarray(at + 9, Math.min(end, at + 14)).includes(STATUS_200);
    if (stream === 1 && (type === DATA || type === HEADERS) && ((bytes[at + 4] ?? 0) & END_STREAM) !== 0) return status;
    at = end;
  }
  return undefined;
}

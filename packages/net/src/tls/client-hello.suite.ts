// For tests: makes ClientHellos, real ones of Node's OpenSSL and built ones of any shape, and cuts them into records.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { connect as tlsConnect, type ConnectionOptions } from "node:tls";
import { ClientHelloReader } from "./client-hello.ts";

/** One extension: its type and body. */
export type Extension = readonly [type: number, body: Buffer];

function number(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}

/** `body` with its length before it. */
export function vector(lengthBytes: number, ...body: readonly Buffer[]): Buffer {
  const whole = Buffer.concat(body);
  return Buffer.concat([number(whole.length, lengthBytes), whole]);
}

/** The extension server_name. */
export function serverName(name: string, type: number = 0): Extension {
  return [0, vector(2, number(type, 1), vector(2, Buffer.from(name, "latin1")))];
}

/** The extension application_layer_protocol_negotiation. */
export function alpn(...names: readonly string[]): Extension {
  return [16, vector(2, ...names.map((name) => vector(1, Buffer.from(name, "latin1"))))];
}

/** The message ClientHello, header included. */
export function helloMessage(extensions: readonly Extension[] | undefined): Buffer {
  const body = [
    number(0x0303, 2),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32, 9)),
    vector(2, number(0x1a1a, 2), number(0x1301, 2)),
    vector(1, number(0, 1)),
  ];
  if (extensions !== undefined)
    body.push(vector(2, ...extensions.map(([type, content]) => Buffer.concat([number(type, 2), vector(2, content)]))));
  return Buffer.concat([number(1, 1), vector(3, ...body)]);
}

/** Cuts a message into records of at most `size` bytes. */
export function records(message: Buffer, size: number = 16_384): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size)
    parts.push(Buffer.from([22, 3, 1]), vector(2, message.subarray(at, at + size)));
  return Buffer.concat(parts);
}

/** What a reader says after `bytes`, cut at the given places. */
export function readHello(bytes: Buffer, cuts: readonly number[] = []): string {
  const reader = new ClientHelloReader();
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (let at = 1; at < places.length; at++) reader.feed(bytes, places[at - 1] ?? 0, places[at] ?? 0);
  return reader.hello === undefined ? reader.state : JSON.stringify(reader.hello);
}

/** The first bytes of a real TLS client. */
export async function realHello(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  const [accepted] = (await once(server, "connection")) as [Socket];
  const tls = tlsConnect({ ...options, socket: client });
  tls.on("error", () => undefined);
  const [bytes] = (await once(accepted, "data")) as [Buffer];
  tls.destroy();
  accepted.destroy();
  server.close();
  return bytes;
}

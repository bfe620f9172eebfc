// For tests: carries an Http2Connection over a real socket, with one flush per turn of the event loop.

import type { Socket } from "node:net";
import { Http2Connection } from "../connection.ts";
import type { Flushable, Http2ConnectionHandler, Http2Output, Http2ServerHandler } from "../connection-types.ts";
import type { Http2Limits, Http2Settings } from "../limits.ts";
import { PatientClock } from "@ripstop/testkit";

class SocketOutput implements Http2Output {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  scheduleFlush(connection: Flushable): void {
    queueMicrotask(() => connection.flush());
  }

  write(buf: Buffer, start: number, end: number): boolean {
    return this.#socket.write(Buffer.from(buf.subarray(start, end)));
  }

  close(): void {
    this.#socket.end();
  }
}

interface Tuning {
  readonly limits?: Partial<Http2Limits>;
  readonly settings?: Partial<Http2Settings>;
}

function attach(socket: Socket, connection: Http2Connection): Http2Connection {
  socket.setNoDelay(true);
  socket.on("data", (chunk: Buffer) => connection.receive(chunk, 0, chunk.length));
  socket.on("end", () => connection.receivedEnd());
  socket.on("drain", () => connection.writable());
  socket.on("error", () => undefined);
  socket.on("close", () => connection.closed("the socket closed"));
  return connection;
}

/** The server side of HTTP/2 on `socket`. */
export function serve(socket: Socket, handler: Http2ServerHandler, tuning: Tuning = {}): Http2Connection {
  const output = new SocketOutput(socket);
  return attach(socket, new Http2Connection({ role: "server", output, handler, clock: new PatientClock(), ...tuning }));
}

/** The client side of HTTP/2 on `socket`. */
export function dial(socket: Socket, handler: Http2ConnectionHandler, tuning: Tuning = {}): Http2Connection {
  const output = new SocketOutput(socket);
  return attach(socket, new Http2Connection({ role: "client", output, handler, clock: new PatientClock(), ...tuning }));
}

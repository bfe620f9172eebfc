// Clients and applications of the tests, made with Node's own protocol code.

import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from "node:http";
import {
  connect as http2Connect,
  createServer as createHttp2Server,
  type ClientHttp2Session,
  type Http2Server,
} from "node:http2";
import {
  connect,
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from "node:net";
import { systemClock } from "@ripstop/core";
import type { StoppedClock } from "@ripstop/testkit";

/** Something that a test started and must end. */
export interface Started {
  readonly port: number;
  close(): Promise<void>;
}

function listen(server: Server | TcpServer | Http2Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));
}

/** An HTTP/1.1 application; it closes no idle connection by itself: a request could be on its way there. */
export async function httpApp(
  listener: RequestListener,
  prepare?: (server: Server) => void,
): Promise<Started & { readonly server: Server }> {
  const server = createServer({ keepAliveTimeout: 0 }, listener);
  prepare?.(server);
  const port = await listen(server);
  return {
    port,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An HTTP/2 (h2c) application. */
export async function http2App(prepare: (server: Http2Server) => void): Promise<Started> {
  const server = createHttp2Server();
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => undefined);
  });
  prepare(server);
  const port = await listen(server);
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
      }),
  };
}

/** A TCP application. */
export async function tcpApp(
  onSocket: (socket: Socket) => void,
  options: { readonly allowHalfOpen?: boolean } = {},
): Promise<Started> {
  const sockets = new Set<Socket>();
  const server = createTcpServer({ allowHalfOpen: options.allowHalfOpen ?? false }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  const port = await listen(server);
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What to ask. */
export interface Ask {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
}

function readAnswer(response: IncomingMessage): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: Buffer.concat(chunks).toString("latin1"),
      }),
    );
    response.on("error", reject);
  });
}

/** A request by absolute URL through an HTTP proxy, on a connection of its own. */
export function fetchVia(proxyPort: number, url: string, ask: Ask = {}): Promise<Answer> {
  const { host } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: "127.0.0.1",
        port: proxyPort,
        method: ask.method ?? "GET",
        path: url,
        headers: { host, ...ask.headers },
        agent: false,
      },
      (response) => readAnswer(response).then(resolve, reject),
    );
    request.on("error", reject);
    request.end(ask.body);
  });
}

/** A request to a declared upstream's port. */
export function fetchAt(port: number, path: string, ask: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port, method: ask.method ?? "GET", path, headers: { ...ask.headers }, agent: false },
      (response) => readAnswer(response).then(resolve, reject),
    );
    request.on("error", reject);
    request.end(ask.body);
  });
}

/** An HTTP/2 client with prior knowledge. */
export function http2Client(port: number): ClientHttp2Session {
  const session = http2Connect(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  return session;
}

/** A TCP client that remembers what it received. */
export class TcpClient {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  #wake: () => void = () => undefined;
  ended = false;
  closed = false;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.socket.on("data", (chunk) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    this.socket.on("end", () => {
      this.ended = true;
      this.#wake();
    });
    this.socket.on("close", () => {
      this.closed = true;
      this.#wake();
    });
    this.socket.on("error", () => undefined);
  }

  get received(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }

  write(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Waits until what was received contains `text`. */
  async until(text: string): Promise<void> {
    await this.#when(() => this.received.includes(text) || this.closed);
    if (!this.received.includes(text))
      throw new Error(`closed before ${JSON.stringify(text)}: ${JSON.stringify(this.received)}`);
  }

  /** Waits for the peer's FIN, or the end of the connection. */
  untilEnd(): Promise<void> {
    return this.#when(() => this.ended || this.closed);
  }

  untilClosed(): Promise<void> {
    return this.#when(() => this.closed);
  }

  async #when(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** All that a server says to whoever connects, until it ends: "" when it resets without a word. */
export async function greetingAt(port: number): Promise<string> {
  const client = new TcpClient(port);
  await client.untilEnd();
  client.socket.destroy();
  return client.received;
}

/** What a clock moves on in one turn of the event loop, and how much faster than the real one it goes at most. */
const MS_A_TURN = 2;
const TIMES_REAL = 10;

/**
 * Lets time pass on `clock` until `condition` holds: with the turns of the event loop, so that a process that does not
 * run loses none, and not much faster than real time, so that bytes which the kernel delivers late still come before
 * a limit that they must not reach.
 */
export async function passTime(clock: StoppedClock, condition: () => boolean): Promise<void> {
  let seenMs = systemClock.monotonicMs();
  await eventually(() => {
    const nowMs = systemClock.monotonicMs();
    clock.advance(Math.min(MS_A_TURN, (nowMs - seenMs) * TIMES_REAL));
    seenMs = nowMs;
    return condition();
  });
}

/** Waits until `condition` holds, turn by turn of the event loop. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => setImmediate(resolve));
}

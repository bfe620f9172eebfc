// Connections before their TLS handshake: a bounded number of handshakes is under way, the rest waits its turn. When all
// proxies come at once, those whose turn it is finish and are served while the others wait; otherwise all would be half
// done for as long as the last one takes, and give up together.

import type { Socket } from "node:net";

import type { Clock, Timer } from "@ripstop/core";
import { metricNames, type Counter, type MetricRegistry } from "@ripstop/telemetry";

/** Bounds of a HandshakeQueue. */
export interface HandshakeLimits {
  /** Handshakes that are under way at one time; default 64. */
  readonly underWay: number;
  /** Connections that wait, or have not said anything; default 16 384. */
  readonly waiting: number;
  /** How long a connection may wait in milliseconds; default 30 000. */
  readonly waitMs: number;
  /** After so many milliseconds a handshake keeps nobody else waiting; default 2 000. */
  readonly turnMs: number;
}

/** Sensible bounds. */
export const defaultHandshakeLimits: HandshakeLimits = {
  underWay: 64,
  waiting: 16_384,
  waitMs: 30_000,
  turnMs: 2_000,
};

/** What a client may send before it is its turn: a ClientHello is smaller. */
const MAX_EARLY_BYTES = 32 * 1024;

interface Waiting {
  readonly socket: Socket;
  readonly address: string;
  readonly early: Buffer[];
  earlyBytes: number;
  /** Ends what keeps an eye on it while it waits. */
  readonly release: () => void;
}

/** What surrounds a HandshakeQueue. */
export interface HandshakeQueueParts {
  readonly clock: Clock;
  /** It is the turn of this connection; what it has sent is there to be read. Say `done` when its handshake is over. */
  begin(socket: Socket): void;
  readonly limits?: Partial<HandshakeLimits>;
  readonly metrics?: MetricRegistry;
}

/**
 * Connections that have sent something, by remote address: the addresses in turn, each the longest waiting first. One
 * that says nothing takes nobody's turn; one that gives up while it waits costs nothing more.
 */
export class HandshakeQueue {
  readonly #parts: HandshakeQueueParts;
  readonly #limits: HandshakeLimits;
  readonly #all = new Map<Socket, Waiting>();
  readonly #ready = new Map<string, Set<Waiting>>();
  readonly #underWay = new Map<Socket, Timer>();
  readonly #refused: Counter | undefined;

  constructor(parts: HandshakeQueueParts) {
    this.#parts = parts;
    this.#limits = { ...defaultHandshakeLimits, ...parts.limits };
    const { name, help } = metricNames.CONFIG_CONNECTIONS_REFUSED;
    this.#refused = parts.metrics?.counter(name, help);
  }

  /** Connections that wait, those that have not said anything included. */
  get waiting(): number {
    return this.#all.size;
  }

  /** Handshakes that have a turn now. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** A connection came. */
  add(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    if (this.#all.size >= this.#limits.waiting) {
      this.#refuse(socket);
      return;
    }
    const onData = (chunk: Buffer): void => this.#onEarly(one, chunk);
    const onGone = (): void => {
      this.#forget(one);
      socket.destroy();
    };
    const timer = this.#parts.clock.after(this.#limits.waitMs, () => {
      this.#forget(one);
      this.#refuse(socket);
    });
    const one: Waiting = {
      socket,
      address: socket.remoteAddress ?? "",
      early: [],
      earlyBytes: 0,
      release: () => {
        timer.clear();
        socket.off("data", onData).off("end", onGone).off("close", onGone);
      },
    };
    this.#all.set(socket, one);
    socket.on("data", onData).on("end", onGone).on("close", onGone);
  }

  /** The handshake of a connection is over, however it ended. */
  done(socket: Socket): void {
    this.#underWay.get(socket)?.clear();
    if (this.#underWay.delete(socket)) this.#next();
  }

  /** Ends what waits. Handshakes under way are their owner's. */
  close(): void {
    for (const timer of this.#underWay.values()) timer.clear();
    this.#underWay.clear();
    this.#ready.clear();
    for (const one of this.#all.values()) {
      one.release();
      one.socket.destroy();
    }
    this.#all.clear();
  }

  #onEarly(one: Waiting, chunk: Buffer): void {
    one.early.push(chunk);
    one.earlyBytes += chunk.length;
    if (one.earlyBytes > MAX_EARLY_BYTES) {
      this.#forget(one);
      this.#refuse(one.socket);
      return;
    }
    if (one.early.length > 1) return;
    const ready = this.#ready.get(one.address);
    if (ready === undefined) this.#ready.set(one.address, new Set([one]));
    else ready.add(one);
    this.#next();
  }

  #refuse(socket: Socket): void {
    this.#refused?.add(1);
    socket.destroy();
  }

  #forget(one: Waiting): void {
    one.release();
    this.#all.delete(one.socket);
    const ready = this.#ready.get(one.address);
    ready?.delete(one);
    if (ready?.size === 0) this.#ready.delete(one.address);
  }

  #next(): void {
    while (this.#underWay.size < this.#limits.underWay) {
      const [first] = this.#ready;
      if (first === undefined) return;
      const [address, ready] = first;
      const [one] = ready;
      // To the end of the line: the other addresses are next.
      this.#ready.delete(address);
      if (one === undefined) continue;
      if (ready.size > 1) this.#ready.set(address, ready);
      this.#forget(one);
      this.#begin(one);
    }
  }

  #begin({ socket, early }: Waiting): void {
    this.#underWay.set(
      socket,
      this.#parts.clock.after(this.#limits.turnMs, () => this.done(socket)),
    );
    socket.on("close", () => this.done(socket));
    socket.pause();
    socket.unshift(Buffer.concat(early));
    this.#parts.begin(socket);
  }
}

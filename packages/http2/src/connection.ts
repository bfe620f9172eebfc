// One HTTP/2 connection, server or client side (RFC 9113): received bytes in, events out; messages in, bytes out.
// Opens no socket and sets no timer: its owner carries the bytes and asks for the flush. This file is the face; the
// work is in frame-reader, message-receiver, control-receiver, message-sender and sender around a connection-state.

import type { ClientStream, ClientStreamHandler, RequestHead } from "@ripstop/http";
import { ConnectionState } from "./connection-state.ts";
import type { Flushable, Http2Options } from "./connection-types.ts";
import { ControlReceiver } from "./control-receiver.ts";
import { HTTP2_CONNECTION_LOST, Http2Error } from "./errors.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { MAX_31_BIT } from "./frames.ts";
import { MessageReceiver } from "./message-receiver.ts";
import { MessageSender } from "./message-sender.ts";
import { sendPreface } from "./preface.ts";
import { Http2Stream } from "./stream.ts";
import { StallWatch, type StallLimits } from "./stall-watch.ts";

/** Streams that a client opens before it knows the server's limit. */
const ASSUMED_CONCURRENT_STREAMS = 100;

/** See the file comment. */
export class Http2Connection implements Flushable {
  readonly #state: ConnectionState;
  readonly #reader: FrameReader;
  readonly #control: ControlReceiver;
  readonly #messages: MessageReceiver;
  readonly #messageSender: MessageSender;
  #stalls: StallWatch | undefined = undefined;

  /** Composes preface and SETTINGS, and asks for the first flush. */
  constructor(options: Http2Options) {
    const state = new ConnectionState(options, () => options.output.scheduleFlush(this));
    const { limits, settings, role } = state;
    this.#state = state;
    this.#messageSender = new MessageSender(state);
    this.#messages = new MessageReceiver(state, this.#messageSender);
    this.#control = new ControlReceiver(state, this.#messages.decoder);
    this.#reader = new FrameReader(new Dispatcher(state, this.#messages, this.#control), {
      expectPreface: role === "server",
      maxFrameBytes: settings.maxFrameBytes,
      maxBlockBytes: 2 * Math.max(limits.maxHeaderListBytes, settings.maxFrameBytes),
      maxContinuations: limits.maxContinuations,
    });
    state.reader = this.#reader;
    sendPreface(state);
  }

  /** Streams open in either direction; for a client also those opened and without a request yet. */
  get activeStreams(): number {
    return this.#state.active;
  }

  /** Client: streams that the server lets be open at the same time; Infinity when it sets no limit. */
  get maxConcurrentStreams(): number {
    return this.#state.peer.received ? this.#state.peer.maxConcurrentStreams : ASSUMED_CONCURRENT_STREAMS;
  }

  /** No new stream is opened or taken: GOAWAY was sent or received, or the connection is over. */
  get draining(): boolean {
    return this.#state.draining;
  }

  /** The connection is over. */
  get dead(): boolean {
    return this.#state.dead;
  }

  /** The peer's SETTINGS have come. */
  get peerSettingsReceived(): boolean {
    return this.#state.peer.received;
  }

  /** The peer has acknowledged our first SETTINGS; if it has not after a while, the owner should `abort` (SETTINGS_TIMEOUT). */
  get settingsAcknowledged(): boolean {
    return this.#control.settingsAcknowledged;
  }

  /** Client: the server allows extended CONNECT (RFC 8441), that is requests with `protocol`. */
  get extendedConnect(): boolean {
    return this.#state.peer.extendedConnect;
  }

  /** Body bytes that wait for the peer's windows or the transport. */
  get queuedBytes(): number {
    return this.#state.sender.queuedBytes;
  }

  /** The peer has begun a preface, header block or control frame and not finished it: the head's deadline should run. */
  get isReceivingHead(): boolean {
    return this.#reader.isWaiting;
  }

  /**
   * Looks for streams on which the peer makes no progress, and resets those on which it made none at several looks in a
   * row. Called at a steady pace by the owner.
   */
  resetStalled(limits: StallLimits): void {
    if (this.#state.dead || this.#state.active === 0) {
      this.#stalls = undefined;
      return;
    }
    this.#stalls ??= new StallWatch(this.#state);
    this.#stalls.look(limits);
  }

  /** Takes received bytes `buf[start, end)`; handlers are called from here. */
  receive(buf: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (state.dead) return;
    this.#reader.receive(buf, start, end);
    if (state.sender.overflowed) state.flood("the peer asks for answers and does not read them");
  }

  /**
   * Server, right after construction: the HTTP/1.1 request `head`, complete and without a body, asked for h2c and was
   * answered 101; its response travels on stream 1. `settings` is its decoded HTTP2-Settings field (RFC 7540 §3.2).
   * Returns false when that field is malformed: the connection has then ended.
   */
  acceptUpgrade(head: RequestHead, settings: Buffer): boolean {
    if (settings.length % 6 !== 0) {
      this.#state.frameSizeError("RFC 7540 §3.2.1", "HTTP2-Settings");
      return false;
    }
    if (!this.#control.applySettings(settings, 0, settings.length)) return false;
    this.#messages.onUpgrade(head);
    return true;
  }

  /**
   * The peer sent FIN: it can neither open windows nor cancel any more, so nothing is awaited and every stream ends.
   * (A client that connects, asks and leaves would otherwise have its work done, beyond every limit on resets.)
   */
  receivedEnd(): void {
    const state = this.#state;
    if (state.dead) return;
    state.draining = true;
    const cause = "the peer closed the connection in the middle of the exchange";
    state.resetAll(state.lostCode(), cause);
    state.closeWhenIdle = true;
    if (state.active === 0) state.sender.schedule();
  }

  /** The transport is gone: open streams hear `onReset`. `cause` is in plain words. */
  closed(cause: string): void {
    const state = this.#state;
    if (state.dead) return;
    state.die();
    const rule = { section: "RFC 9113 §5.4.1", message: cause };
    state.resetAll(state.lostCode(), new Http2Error(HTTP2_CONNECTION_LOST, state.lostCode(), rule).toString());
  }

  /** The transport has room again after `write` returned false. */
  writable(): void {
    this.#state.sender.blocked = false;
    this.#flush();
  }

  /** Composes what is due and writes it; see Http2Output.scheduleFlush. */
  flush(): void {
    this.#state.sender.unschedule();
    this.#flush();
  }

  /** Client: a new stream, or undefined when none may be opened now. Its request should follow in the same turn. */
  open(handler: ClientStreamHandler): ClientStream | undefined {
    const state = this.#state;
    if (state.role !== "client" || state.draining || state.active >= this.maxConcurrentStreams) return undefined;
    if (state.newestId > MAX_31_BIT - 2) return undefined;
    const stream = new Http2Stream(this.#messageSender, 0, 0, 0);
    stream.handler = handler;
    state.active++;
    return stream;
  }

  /**
   * Ends gracefully: open exchanges finish, new ones are refused, then the transport is closed. A server does it in two
   * steps, so that requests on their way are still taken (RFC 9113 §6.8).
   */
  shutdown(): void {
    if (!this.#state.dead) this.#control.shutdown();
  }

  /** Ends at once with GOAWAY `code`; open streams hear `onReset` with `cause`. */
  abort(code: number, cause: string): void {
    this.#state.abort(code, cause);
  }

  /** Sends a PING; `onPong(value)` follows. `value` is 0 … 2³²−1. */
  ping(value: number): void {
    if (!this.#state.dead) this.#control.ping(value);
  }

  #flush(): void {
    const state = this.#state;
    if (state.dead) return;
    state.sender.flush();
    if (state.closeWhenIdle && state.active === 0 && !state.sender.blocked && !state.dead) state.close();
  }
}

/** Hands frames to the part that knows them. */
class Dispatcher implements FrameSink {
  readonly #state: ConnectionState;
  readonly #messages: MessageReceiver;
  readonly #control: ControlReceiver;

  constructor(state: ConnectionState, messages: MessageReceiver, control: ControlReceiver) {
    this.#state = state;
    this.#messages = messages;
    this.#control = control;
  }

  onDataStart(streamId: number, length: number, padding: number): void {
    this.#messages.onDataStart(streamId, length, padding);
  }

  onData(buf: Buffer, start: number, end: number): void {
    this.#messages.onData(buf, start, end);
  }

  onDataEnd(endStream: boolean): void {
    this.#messages.onDataEnd(endStream);
  }

  onHeaders(streamId: number, endStream: boolean, buf: Buffer, start: number, end: number): void {
    this.#messages.onHeaders(streamId, endStream, buf, start, end);
  }

  onFrame(type: number, flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    this.#control.onFrame(type, flags, streamId, buf, start, end);
  }

  onIdleFrame(unknown: boolean): void {
    const state = this.#state;
    if (unknown) state.spend(state.control, "control frames");
    else state.spend(state.empty, "empty frames");
  }

  onFramingError(error: Http2Error): void {
    this.#state.fail(error);
  }
}

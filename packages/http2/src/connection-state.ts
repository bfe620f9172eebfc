// What the parts of a connection share: its state, and every way in which a stream or the connection ends.

import type { Clock } from "@ripstop/core";
import { queuedBodies, StreamErrorCode } from "@ripstop/http";
import type { Http2ConnectionHandler, Http2Options, Http2Output, Http2ServerHandler } from "./connection-types.ts";
import {
  HTTP2_FLOOD,
  HTTP2_FRAME_SIZE_ERROR,
  HTTP2_MALFORMED_MESSAGE,
  HTTP2_PROTOCOL_ERROR,
  Http2Error,
} from "./errors.ts";
import { FloodBudget } from "./flood-budget.ts";
import { DEFAULT_WINDOW, FrameType, MAX_31_BIT, SettingId } from "./frames.ts";
import { DEFAULT_LIMITS, DEFAULT_SETTINGS, type Http2Limits, type Http2Settings } from "./limits.ts";
import { PeerSettings } from "./peer-settings.ts";
import { Sender, type SenderOwner } from "./sender.ts";
import type { Http2Stream } from "./stream.ts";
import { PastStream, StreamTable, type PastStreamValue } from "./stream-table.ts";
import { WindowTuner } from "./window-tuner.ts";

/** DATA frames that we send explain this many window updates each. */
const WINDOW_UPDATES_PER_DATA = 10;
const MAX_WINDOW_UPDATE_CREDIT = 10_000;

/** Each exchange that both sides finish makes up for one reset and for so many frames without content. */
const IDLE_FRAMES_PER_EXCHANGE = 4;

/** The window of a stream while too much waits for slow readers: enough for most messages. */
const TIGHT_WINDOW_BYTES = 16 * 1024;

/** First word of the PINGs that measure the round trip. */
export const TUNER_PING = 0x5253_5033;

/** What frame readers and receivers do once the connection is over: nothing. */
export interface Stoppable {
  stop(): void;
}

/** One per connection; its fields are for the parts of the connection only. */
export class ConnectionState implements SenderOwner {
  readonly role: "server" | "client";
  readonly output: Http2Output;
  readonly handler: Http2ConnectionHandler;
  /** The handler again on the server side. */
  readonly server: Http2ServerHandler | undefined;
  readonly limits: Http2Limits;
  readonly settings: Http2Settings;
  readonly sender: Sender;
  readonly streams: StreamTable = new StreamTable();
  readonly peer: PeerSettings;
  /** Told when the connection is over. */
  reader: Stoppable | undefined = undefined;
  readonly #clock: Clock;
  readonly #onScheduled: () => void;

  /** Streams open, for a client also those without a request yet. */
  active = 0;
  /** Highest stream id that the peer (server role) or we (client role) have opened. */
  newestId: number;
  dead = false;
  /** No stream may be opened any more. */
  draining = false;
  /** Close as soon as no stream is open. */
  closeWhenIdle = false;
  /** Our last GOAWAY is out. */
  finalGoawaySent = false;
  /** Streams above it are not taken any more. */
  lastTakenId: number = MAX_31_BIT;

  /** What the peer may still send on the connection, and what it may be granted again. */
  receiveWindow: number;
  #toGrant = 0;
  /** The window that new streams give the peer: the default until a smaller one is acknowledged (RFC 9113 §6.5.3). */
  streamWindow: number;
  /** The same as of our last SETTINGS, and whether their acknowledgement is awaited. */
  toldWindow: number;
  settingsPending = true;
  /** That was told while too much waited for slow readers in this process. */
  isTight = false;

  /** Made when a stream has used up half of its window. */
  tuner: WindowTuner | undefined = undefined;

  readonly resets: FloodBudget;
  readonly control: FloodBudget;
  readonly empty: FloodBudget;
  readonly windowUpdates: FloodBudget;
  windowUpdateCredit = 0;

  /** `onScheduled` asks the owner for a flush. */
  constructor(options: Http2Options, onScheduled: () => void) {
    const { limits, settings } = options;
    this.role = options.role;
    this.output = options.output;
    this.handler = options.handler;
    this.server = options.role === "server" ? options.handler : undefined;
    this.#clock = options.clock;
    this.#onScheduled = onScheduled;
    this.limits = limits === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...limits };
    this.settings = settings === undefined ? DEFAULT_SETTINGS : { ...DEFAULT_SETTINGS, ...settings };
    this.newestId = options.role === "server" ? 0 : -1;
    this.peer = new PeerSettings(options.role === "client");
    this.streamWindow = Math.max(DEFAULT_WINDOW, this.settings.initialWindowBytes);
    this.toldWindow = this.settings.initialWindowBytes;
    this.receiveWindow = Math.max(DEFAULT_WINDOW, this.settings.connectionWindowBytes);
    this.resets = new FloodBudget(this.limits.resets);
    this.control = new FloodBudget(this.limits.control);
    this.empty = new FloodBudget(this.limits.empty);
    this.windowUpdates = new FloodBudget(this.limits.windowUpdates);
    this.sender = new Sender(this, this.limits);
  }

  // ── SenderOwner ─────────────────────────────────────────────────────────────────────────────────────────────────

  scheduleFlush(): void {
    this.#onScheduled();
  }

  write(buf: Buffer, start: number, end: number): boolean {
    return this.output.write(buf, start, end);
  }

  onLocalEnd(stream: Http2Stream): void {
    if (stream.remoteEnded) this.finishStream(stream);
  }

  onDataSent(): void {
    if (this.windowUpdateCredit < MAX_WINDOW_UPDATE_CREDIT) this.windowUpdateCredit += WINDOW_UPDATES_PER_DATA;
    // Receivers that measure the path send a PING with every few DATA frames.
    this.control.earn(1);
  }

  /** A DATA frame with content came in. */
  onDataReceived(): void {
    this.control.earn(1);
    this.empty.earn(1);
  }

  // ── Flow control towards us ─────────────────────────────────────────────────────────────────────────────────────

  /** `count` bytes of the stream were used: the peer may send as many more, on the stream and the connection. */
  grant(stream: Http2Stream, count: number): void {
    if (!stream.remoteEnded && !stream.closed) this.grantStream(stream, count);
    this.grantConnection(count);
  }

  /** Grants `count` bytes on the stream, together with earlier ones when they are half of the window. */
  grantStream(stream: Http2Stream, count: number): void {
    stream.toGrant += count;
    const window = this.streamWindow + stream.extraWindow;
    if (stream.toGrant === 0 || stream.toGrant * 2 < window) return;
    let granted = stream.toGrant;
    if (!queuedBodies.isTight) granted += count === 0 ? 0 : this.#growWindow(stream, window);
    else if (stream.extraWindow > 0) granted -= this.tuner?.shrink(stream, granted) ?? 0;
    stream.toGrant = 0;
    if (granted === 0) return;
    this.sender.writer.windowUpdate(stream.id, granted);
    stream.receiveWindow += granted;
    this.sender.schedule();
  }

  /**
   * Too much waits for slow readers, or no longer: the windows of all streams become small, or as they were, by the
   * difference (RFC 9113 §6.9.2). Call it where bytes come in or are asked for and `queuedBodies.isTight` is not `isTight`.
   */
  adaptWindows(): void {
    // Not before the peer has our last word: then it is clear what it keeps to.
    if (this.settingsPending || this.dead) return;
    const { initialWindowBytes } = this.settings;
    this.isTight = queuedBodies.isTight;
    this.toldWindow = this.isTight ? Math.min(TIGHT_WINDOW_BYTES, initialWindowBytes) : initialWindowBytes;
    this.settingsPending = true;
    const { writer } = this.sender;
    writer.header(6, FrameType.SETTINGS, 0, 0);
    writer.byte(SettingId.INITIAL_WINDOW_SIZE >>> 8);
    writer.byte(SettingId.INITIAL_WINDOW_SIZE);
    writer.u32(this.toldWindow);
    this.sender.schedule();
  }

  #growWindow(stream: Http2Stream, window: number): number {
    this.tuner ??= new WindowTuner({
      clock: this.#clock,
      ping: () => this.sendPing(TUNER_PING, 0),
      // The other half of the connection's window stays for everybody else.
      maxExtraBytes: this.settings.connectionWindowBytes >> 1,
    });
    return this.tuner.grow(stream, window);
  }

  /** Sends a PING; `tag` says whose answer it will be. */
  sendPing(tag: number, value: number): void {
    const { writer } = this.sender;
    writer.header(8, FrameType.PING, 0, 0);
    writer.u32(tag);
    writer.u32(value);
    this.sender.schedule();
  }

  /** Grants `count` bytes on the connection, together with earlier ones when they are half of the window. */
  grantConnection(count: number): void {
    this.#toGrant += count;
    if (this.dead || this.#toGrant * 2 < this.settings.connectionWindowBytes) return;
    this.sender.writer.windowUpdate(0, this.#toGrant);
    this.receiveWindow += this.#toGrant;
    this.#toGrant = 0;
    this.sender.schedule();
  }

  // ── Ends of streams ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Both sides have ended the stream. */
  finishStream(stream: Http2Stream): void {
    if (stream.closed) return;
    this.#closeStream(stream, PastStream.ENDED);
    this.resets.earn(1);
    this.control.earn(IDLE_FRAMES_PER_EXCHANGE);
    this.empty.earn(IDLE_FRAMES_PER_EXCHANGE);
    this.checkIdle();
  }

  /** We end the stream at the wish of its handler. */
  resetByUs(stream: Http2Stream, code: number): void {
    this.sender.writer.rstStream(stream.id, code);
    this.sender.schedule();
    this.#closeStream(stream, PastStream.RESET_BY_US);
    this.checkIdle();
  }

  /** The stream ends for a reason that its handler is told, the peer not. */
  endEarly(stream: Http2Stream, how: PastStreamValue, code: number, cause: string): void {
    if (stream.closed) return;
    this.#closeStream(stream, how);
    stream.handler?.onReset(code, cause);
    this.checkIdle();
  }

  /** The peer broke a rule on one stream (RFC 9113 §5.4.2). Counted, because a reset made us work for nothing. */
  streamError(stream: Http2Stream, error: Http2Error): void {
    this.sender.writer.rstStream(stream.id, error.code);
    this.sender.schedule();
    this.endEarly(stream, PastStream.RESET_BY_US, error.code, error.toString());
    this.handler.onStreamError(error);
    this.spend(this.resets, "stream errors");
  }

  /** As `streamError` for a request that no handler has seen. */
  refuse(streamId: number, error: Http2Error): void {
    this.streams.close(streamId, PastStream.RESET_BY_US);
    this.sender.writer.rstStream(streamId, error.code);
    this.sender.schedule();
    this.handler.onStreamError(error);
    this.spend(this.resets, "stream errors");
  }

  /** One stream less: says so when it was the last. */
  checkIdle(): void {
    if (this.active > 0 || this.dead) return;
    if (this.closeWhenIdle) this.sender.schedule();
    this.handler.onIdle();
  }

  /**
   * A frame for a stream that is not open. True when it is to be ignored, false when it ended the connection.
   * DATA and WINDOW_UPDATE that were on their way are no sign of ill will, and have limits of their own.
   */
  ignoresClosed(streamId: number, type: number): boolean {
    // Only clients open streams, with odd ids: nobody pushes.
    if ((streamId & 1) === 0 || streamId > this.newestId) {
      this.protocolError("RFC 9113 §5.1", "a frame for a stream that was never opened");
      return false;
    }
    const past = this.streams.past(streamId, this.newestId);
    if (past === PastStream.SKIPPED) {
      this.protocolError("RFC 9113 §5.1.1", "a frame for a stream id that was passed over");
      return false;
    }
    const carriesMessage = type === FrameType.DATA || type === FrameType.HEADERS;
    if (carriesMessage && (past === PastStream.ENDED || past === PastStream.RESET_BY_PEER)) {
      const rule = { section: "RFC 9113 §5.1", message: "DATA or HEADERS on a closed stream" };
      this.fail(new Http2Error(HTTP2_PROTOCOL_ERROR, StreamErrorCode.STREAM_CLOSED, rule));
      return false;
    }
    if (type === FrameType.DATA || type === FrameType.WINDOW_UPDATE) return true;
    return this.spend(this.control, "frames for closed streams");
  }

  // ── Ends of the connection ──────────────────────────────────────────────────────────────────────────────────────

  /** The wall clock, for Date. */
  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** Takes one from a budget. False when that ended the connection. */
  spend(budget: FloodBudget, what: string): boolean {
    if (budget.spend(this.#clock.monotonicMs())) return true;
    this.flood(`too many ${what}`);
    return false;
  }

  flood(message: string): void {
    const rule = { section: "RFC 9113 §10.5", message };
    this.fail(new Http2Error(HTTP2_FLOOD, StreamErrorCode.ENHANCE_YOUR_CALM, rule));
  }

  protocolError(section: string, message: string): void {
    this.fail(new Http2Error(HTTP2_PROTOCOL_ERROR, StreamErrorCode.PROTOCOL_ERROR, { section, message }));
  }

  frameSizeError(section: string, frame: string): void {
    const rule = { section, message: `${frame} of wrong length` };
    this.fail(new Http2Error(HTTP2_FRAME_SIZE_ERROR, StreamErrorCode.FRAME_SIZE_ERROR, rule));
  }

  /** The peer broke a rule of the connection (RFC 9113 §5.4.1). */
  fail(error: Http2Error): void {
    if (this.dead) return;
    this.#sayGoaway(error.code, error.message);
    this.die();
    this.resetAll(error.code, error.toString());
    this.handler.onError(error);
    this.output.close();
  }

  /** The owner ends the connection. */
  abort(code: number, cause: string): void {
    if (this.dead) return;
    this.#sayGoaway(code, cause);
    this.die();
    this.resetAll(code, cause);
    this.output.close();
  }

  /** The orderly end: no stream is open and none can be. */
  close(): void {
    if (!this.finalGoawaySent) this.#sayGoaway(StreamErrorCode.NO_ERROR, "");
    this.die();
    this.output.close();
  }

  /** No stream above the newest is taken; the connection closes when the last has ended (RFC 9113 §6.8). */
  finalGoaway(): void {
    if (this.role === "server") this.lastTakenId = this.newestId;
    this.draining = true;
    this.closeWhenIdle = true;
    this.finalGoawaySent = true;
    this.sender.writer.goaway(this.#lastId(), StreamErrorCode.NO_ERROR, "");
    this.sender.schedule();
  }

  /** Nothing is read or sent from here on. */
  die(): void {
    this.dead = true;
    this.draining = true;
    this.reader?.stop();
    this.sender.stop();
  }

  /** Every open stream ends with `code`. */
  resetAll(code: number, cause: string): void {
    for (const stream of this.streams.snapshot()) this.endEarly(stream, PastStream.RESET_BY_US, code, cause);
  }

  /** What streams hear when the connection is lost: the client went away, or the server did. */
  lostCode(): number {
    return this.role === "server" ? StreamErrorCode.CANCEL : StreamErrorCode.INTERNAL_ERROR;
  }

  #closeStream(stream: Http2Stream, how: PastStreamValue): void {
    stream.closed = true;
    this.streams.close(stream.id, how);
    this.sender.drop(stream);
    if (stream.extraWindow > 0) this.tuner?.release(stream);
    if (stream.unconsumed > 0) {
      // What the handler still holds, at most one window, is its own affair now: it may never say that it used it,
      // and the connection must not run dry for that.
      this.grantConnection(stream.unconsumed);
      stream.unconsumed = 0;
    }
    this.active--;
  }

  /** Writes GOAWAY at once, also when the transport is blocked: what waited is then given up. */
  #sayGoaway(code: number, debug: string): void {
    const { writer, blocked } = this.sender;
    if (blocked) writer.release();
    writer.goaway(this.#lastId(), code, debug);
    this.output.write(writer.buffer, 0, writer.length);
  }

  #lastId(): number {
    return this.role === "server" ? Math.min(this.newestId, this.lastTakenId) : 0;
  }
}

/** A malformed message (RFC 9113 §8.1.1): a stream error. */
export function malformedMessage(section: string, message: string): Http2Error {
  return new Http2Error(HTTP2_MALFORMED_MESSAGE, StreamErrorCode.PROTOCOL_ERROR, { section, message });
}

/** The body is longer or shorter than declared. */
export const WRONG_LENGTH: Http2Error = malformedMessage(
  "RFC 9113 §8.1.1",
  "the body's length differs from content-length",
);

/** The peer goes on after its own end. */
export const AFTER_END: Http2Error = new Http2Error(HTTP2_PROTOCOL_ERROR, StreamErrorCode.STREAM_CLOSED, {
  section: "RFC 9113 §5.1",
  message: "DATA or HEADERS after END_STREAM",
});

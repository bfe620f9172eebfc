// One HTTP/2 connection, server or client side (RFC 9113): received bytes in, events out; messages in, bytes out.
// Opens no socket and sets no timer: its owner carries the bytes and asks for the flush.

import type { Clock } from "@ripstop/core";
import { StreamErrorCode, type ClientStream, type ClientStreamHandler, type HeaderList } from "@ripstop/http";
import type { RequestHead, ResponseHead } from "@ripstop/http";
import type { Flushable, Http2ConnectionHandler, Http2Options, Http2Output, Http2ServerHandler } from "./connection-types.ts";
import {
  HTTP2_COMPRESSION_ERROR,
  HTTP2_CONNECTION_LOST,
  HTTP2_FLOOD,
  HTTP2_FLOW_CONTROL_ERROR,
  HTTP2_FRAME_SIZE_ERROR,
  HTTP2_HEADERS_TOO_LARGE,
  HTTP2_MALFORMED_MESSAGE,
  HTTP2_PROTOCOL_ERROR,
  Http2Error,
} from "./errors.ts";
import { FloodBudget } from "./flood-budget.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import {
  CLIENT_PREFACE,
  DEFAULT_WINDOW,
  FrameFlag,
  FrameType,
  MAX_31_BIT,
  readU31,
  readU32,
  SettingId,
} from "./frames.ts";
import { writeRequestHead, writeResponseHead } from "./head-writer.ts";
import { HpackDecoder } from "./hpack/decoder.ts";
import { DEFAULT_LIMITS, DEFAULT_SETTINGS, type Http2Limits, type Http2Settings } from "./limits.ts";
import { MessageReader, urgencyOf, type MessagePart, type ReadRules } from "./message-reader.ts";
import { PeerSettings } from "./peer-settings.ts";
import { Sender, type SenderOwner } from "./sender.ts";
import { Http2Stream, type StreamOwner } from "./stream.ts";
import { PastStream, StreamTable, type PastStreamValue } from "./stream-table.ts";

/** Streams that a client opens before it knows the server's limit. */
const ASSUMED_CONCURRENT_STREAMS = 100;

/** First words of PING payloads: the owner's, and the one that ends the first step of a graceful shutdown. */
const OWNER_PING = 0x5253_5031;
const SHUTDOWN_PING = 0x5253_5032;

/** DATA frames that we send explain this many window updates each. */
const WINDOW_UPDATES_PER_DATA = 4;
const MAX_WINDOW_UPDATE_CREDIT = 4096;

/** Heads are read here, one block at a time for the whole process. */
const sharedReader: MessageReader = new MessageReader();

const Shutdown = { NONE: 0, ANNOUNCED: 1, FINAL: 2 } as const;
type ShutdownValue = (typeof Shutdown)[keyof typeof Shutdown];

/** See the file comment. */
export class Http2Connection implements Flushable, FrameSink, StreamOwner, SenderOwner {
  readonly #role: "server" | "client";
  readonly #output: Http2Output;
  readonly #handler: Http2ConnectionHandler;
  readonly #server: Http2ServerHandler | undefined;
  readonly #clock: Clock;
  readonly #limits: Http2Limits;
  readonly #settings: Http2Settings;
  readonly #rules: ReadRules;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder = new HpackDecoder();
  readonly #sender: Sender;
  readonly #streams: StreamTable = new StreamTable();
  readonly #peer: PeerSettings;

  #active = 0;
  /** Highest stream id that the peer (server role) or we (client role) have opened. */
  #newestId: number;
  #dead = false;
  /** No stream may be opened any more. */
  #draining = false;
  /** Close as soon as no stream is open. */
  #closeWhenIdle = false;
  #shutdown: ShutdownValue = Shutdown.NONE;
  /** Streams above it are not taken any more. */
  #lastTakenId: number = MAX_31_BIT;

  /** What the peer may still send on the connection, and what it may be granted again. */
  #receiveWindow: number;
  #toGrant = 0;
  /** The window that new streams give the peer. */
  #streamWindow: number;
  #unackedSettings = 1;
  /** The stream of the DATA frame that is coming in. */
  #dataStream: Http2Stream | undefined = undefined;

  readonly #resets: FloodBudget;
  readonly #control: FloodBudget;
  readonly #empty: FloodBudget;
  readonly #windowUpdates: FloodBudget;
  #windowUpdateCredit = 0;

  /** Composes the preface and SETTINGS and schedules the first flush. */
  constructor(options: Http2Options) {
    const { role, output, handler, clock } = options;
    this.#role = role;
    this.#output = output;
    this.#handler = handler;
    this.#server = options.role === "server" ? options.handler : undefined;
    this.#clock = clock;
    this.#limits = options.limits === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...options.limits };
    this.#settings = options.settings === undefined ? DEFAULT_SETTINGS : { ...DEFAULT_SETTINGS, ...options.settings };
    this.#rules = {
      maxHeaderListBytes: this.#limits.maxHeaderListBytes,
      maxHeaderFields: this.#limits.maxHeaderFields,
      extendedConnect: this.#settings.extendedConnect,
    };
    this.#newestId = role === "server" ? 0 : -1;
    this.#peer = new PeerSettings(role === "client");
    this.#streamWindow = Math.max(DEFAULT_WINDOW, this.#settings.initialWindowBytes);
    this.#receiveWindow = Math.max(DEFAULT_WINDOW, this.#settings.connectionWindowBytes);
    this.#resets = new FloodBudget(this.#limits.resets);
    this.#control = new FloodBudget(this.#limits.control);
    this.#empty = new FloodBudget(this.#limits.empty);
    this.#windowUpdates = new FloodBudget(this.#limits.windowUpdates);
    this.#sender = new Sender(this, this.#limits);
    this.#reader = new FrameReader(this, {
      expectPreface: role === "server",
      maxFrameBytes: this.#settings.maxFrameBytes,
      maxBlockBytes: 2 * Math.max(this.#limits.maxHeaderListBytes, 16_384),
      maxContinuations: this.#limits.maxContinuations,
    });
    this.#sendPreface();
  }

  /** Streams open in either direction; for a client also those opened and without a request yet. */
  get activeStreams(): number {
    return this.#active;
  }

  /** Client: streams that may be open at the same time. */
  get maxConcurrentStreams(): number {
    return this.#peer.received ? this.#peer.maxConcurrentStreams : ASSUMED_CONCURRENT_STREAMS;
  }

  /** No new stream is opened or taken: GOAWAY was sent or received, or the connection is over. */
  get draining(): boolean {
    return this.#draining || this.#dead;
  }

  /** The connection is over. */
  get dead(): boolean {
    return this.#dead;
  }

  /** The peer's SETTINGS have come. */
  get peerSettingsReceived(): boolean {
    return this.#peer.received;
  }

  /** The peer has acknowledged our SETTINGS; if it has not after a while, the owner should `abort` (SETTINGS_TIMEOUT). */
  get settingsAcknowledged(): boolean {
    return this.#unackedSettings === 0;
  }

  /** Client: the server allows extended CONNECT (RFC 8441): requests with `protocol`. */
  get extendedConnect(): boolean {
    return this.#peer.extendedConnect;
  }

  /** Body bytes that wait for the peer's windows or the transport. */
  get queuedBytes(): number {
    return this.#sender.queuedBytes;
  }

  // ── The owner's side ────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes received bytes `buf[start, end)`; handlers are called from here. */
  receive(buf: Buffer, start: number, end: number): void {
    if (this.#dead) return;
    this.#reader.receive(buf, start, end);
    if (this.#sender.overflowed && !this.#dead) {
      this.#flood("RFC 9113 §10.5", "the peer asks for answers and does not read them");
    }
  }

  /** The peer sent FIN: requests that are complete are still answered, everything else ends. */
  receivedEnd(): void {
    if (this.#dead) return;
    this.#draining = true;
    for (const stream of this.#streams.snapshot()) {
      if (this.#role === "client" || !stream.remoteEnded) {
        this.#endEarly(stream, this.#lostCode(), "the peer closed the connection in the middle of the exchange");
      }
    }
    this.#closeWhenIdle = true;
    this.#checkIdle();
  }

  /** The transport is gone. `cause` is in plain words. */
  closed(cause: string): void {
    if (this.#dead) return;
    this.#die();
    const error = new Http2Error(HTTP2_CONNECTION_LOST, this.#lostCode(), { section: "RFC 9113 §5.4.1", message: cause });
    this.#resetAll(error.code, error.toString());
  }

  /** The transport has room again after `write` returned false. */
  writable(): void {
    if (this.#dead) return;
    this.#sender.blocked = false;
    this.#flush();
  }

  flush(): void {
    this.#sender.unschedule();
    this.#flush();
  }

  #flush(): void {
    if (this.#dead) return;
    this.#sender.flush();
    if (this.#closeWhenIdle && this.#active === 0 && !this.#sender.blocked && !this.#dead) this.#close();
  }

  /** Client: a new stream, or undefined when none may be opened now. Its request should follow in the same turn. */
  open(handler: ClientStreamHandler): ClientStream | undefined {
    if (this.#role !== "client" || this.draining || this.#active >= this.maxConcurrentStreams) return undefined;
    if (this.#newestId > MAX_31_BIT - 2) return undefined;
    const stream = new Http2Stream(this, 0, 0, 0);
    stream.handler = handler;
    this.#active++;
    return stream;
  }

  /**
   * Ends gracefully: open exchanges finish, new ones are refused, then the transport is closed. A server does it in two
   * steps, so that requests on their way are still taken (RFC 9113 §6.8).
   */
  shutdown(): void {
    if (this.#dead || this.#shutdown !== Shutdown.NONE) return;
    const { writer } = this.#sender;
    if (this.#role === "server") {
      this.#shutdown = Shutdown.ANNOUNCED;
      writer.goaway(MAX_31_BIT, StreamErrorCode.NO_ERROR, "shutting down");
      this.#writePing(SHUTDOWN_PING, 0);
    } else {
      this.#finalGoaway();
    }
    this.#sender.schedule();
  }

  /** Ends at once with GOAWAY `code`; open streams hear `onReset` with `cause`. */
  abort(code: number, cause: string): void {
    if (this.#dead) return;
    this.#sayGoaway(code, cause);
    this.#die();
    this.#output.close();
    this.#resetAll(code, cause);
  }

  /** Sends a PING; `onPong(value)` follows. `value` is 0 … 2³²−1. */
  ping(value: number): void {
    if (this.#dead) return;
    this.#writePing(OWNER_PING, value);
    this.#sender.schedule();
  }

  // ── Streams' side (StreamOwner) ─────────────────────────────────────────────────────────────────────────────────

  sendRequest(stream: Http2Stream, head: RequestHead, end: boolean): void {
    if (stream.closed || stream.headSent) return;
    if (this.draining || (head.protocol !== "" && !this.#peer.extendedConnect)) {
      this.#active--;
      stream.closed = true;
      const [code, cause] = this.draining
        ? ([StreamErrorCode.REFUSED_STREAM, "the connection takes no more requests"] as const)
        : ([StreamErrorCode.HTTP_1_1_REQUIRED, "the peer does not allow extended CONNECT (RFC 8441)"] as const);
      stream.handler?.onReset(code, cause);
      this.#checkIdle();
      return;
    }
    this.#newestId += 2;
    stream.id = this.#newestId;
    stream.sendWindow = this.#peer.initialWindowBytes;
    stream.receiveWindow = this.#streamWindow;
    stream.isHead = head.method === "HEAD";
    stream.isTunnel = head.method === "CONNECT" || head.protocol !== "";
    stream.protocol = head.protocol;
    this.#streams.add(stream);
    const { writer, encoder } = this.#sender;
    const at = writer.header(0, FrameType.HEADERS, 0, stream.id);
    writeRequestHead(encoder, writer, head);
    this.#headDone(stream, at, end);
  }

  sendResponse(stream: Http2Stream, head: ResponseHead, end: boolean): void {
    if (stream.closed || stream.headSent) return;
    let status = head.status;
    if (status === 101 && stream.protocol !== "") status = 200;
    const { writer, encoder } = this.#sender;
    const at = writer.header(0, FrameType.HEADERS, 0, stream.id);
    writeResponseHead(encoder, writer, head, status);
    this.#headDone(stream, at, end);
  }

  sendInformational(stream: Http2Stream, head: ResponseHead): void {
    if (stream.closed || stream.headSent || head.status === 101) return;
    const { writer, encoder } = this.#sender;
    const at = writer.header(0, FrameType.HEADERS, 0, stream.id);
    writeResponseHead(encoder, writer, head, head.status);
    writer.finishHeaders(at, stream.id, false);
    this.#sender.schedule();
  }

  sendBody(stream: Http2Stream, buf: Buffer, start: number, end: number): boolean {
    return this.#sender.sendBody(stream, buf, start, end);
  }

  sendTrailers(stream: Http2Stream, trailers: HeaderList): void {
    this.#sender.sendTrailers(stream, trailers);
  }

  sendEnd(stream: Http2Stream): void {
    this.#sender.sendEnd(stream);
  }

  resetStream(stream: Http2Stream, code: number): void {
    if (stream.closed) return;
    if (stream.id === 0) {
      stream.closed = true;
      this.#active--;
      this.#checkIdle();
      return;
    }
    this.#sender.writer.rstStream(stream.id, code);
    this.#sender.schedule();
    this.#closeStream(stream, PastStream.RESET_BY_US);
  }

  consumed(stream: Http2Stream, count: number): void {
    const used = Math.min(count, stream.unconsumed);
    if (used <= 0 || this.#dead) return;
    stream.unconsumed -= used;
    this.#grant(stream, used);
  }

  // ── Sender's side (SenderOwner) ─────────────────────────────────────────────────────────────────────────────────

  scheduleFlush(): void {
    this.#output.scheduleFlush(this);
  }

  write(buf: Buffer, start: number, end: number): boolean {
    return this.#output.write(buf, start, end);
  }

  onLocalEnd(stream: Http2Stream): void {
    if (stream.remoteEnded && !stream.closed) this.#closeStream(stream, PastStream.ENDED);
  }

  onDataSent(): void {
    if (this.#windowUpdateCredit < MAX_WINDOW_UPDATE_CREDIT) this.#windowUpdateCredit += WINDOW_UPDATES_PER_DATA;
  }

  // ── Frames (FrameSink) ──────────────────────────────────────────────────────────────────────────────────────────

  onDataStart(streamId: number, length: number, padding: number): void {
    this.#dataStream = undefined;
    if (length > this.#receiveWindow) {
      return this.#fail(HTTP2_FLOW_CONTROL_ERROR, StreamErrorCode.FLOW_CONTROL_ERROR, {
        section: "RFC 9113 §6.9.1",
        message: "DATA beyond the window of the connection",
      });
    }
    this.#receiveWindow -= length;
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (this.#closedStreamFrame(streamId, FrameType.DATA)) this.#grantConnection(length);
      return;
    }
    const rule = this.#dataProblem(stream, length, length - padding);
    if (rule !== undefined) {
      this.#grantConnection(length);
      return this.#streamError(stream, rule);
    }
    stream.receiveWindow -= length;
    stream.receivedLength += length - padding;
    if (padding > 0) this.#grant(stream, padding);
    this.#dataStream = stream;
  }

  onData(buf: Buffer, start: number, end: number): void {
    const stream = this.#dataStream;
    if (stream === undefined) return;
    if (stream.closed) {
      this.#grantConnection(end - start);
      return;
    }
    stream.unconsumed += end - start;
    stream.handler?.onBody(buf, start, end);
  }

  onDataEnd(endStream: boolean): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (stream === undefined || stream.closed || !endStream) return;
    if (!this.#lengthMatches(stream)) return this.#streamError(stream, WRONG_LENGTH);
    stream.remoteEnded = true;
    stream.handler?.onEnd();
    if (stream.localEnded && !stream.closed) this.#closeStream(stream, PastStream.ENDED);
  }

  onHeaders(streamId: number, endStream: boolean, buf: Buffer, start: number, end: number): void {
    const stream = this.#streams.get(streamId);
    let part: MessagePart = "ignored";
    if (stream !== undefined) {
      part = this.#role === "client" && !stream.responseStarted ? "response" : "trailers";
    } else if (this.#role === "server" && (streamId & 1) === 1 && streamId > this.#newestId) {
      this.#newestId = streamId;
      if (streamId <= this.#lastTakenId && this.#active < this.#settings.maxConcurrentStreams) part = "request";
    } else if (!this.#closedStreamFrame(streamId, FrameType.HEADERS)) {
      return;
    }
    const reader = sharedReader.busy ? new MessageReader() : sharedReader;
    reader.busy = true;
    reader.begin(part, this.#rules);
    if (!this.#decoder.decode(buf, start, end, reader)) {
      reader.busy = false;
      return this.#fail(HTTP2_COMPRESSION_ERROR, StreamErrorCode.COMPRESSION_ERROR, {
        section: "RFC 7541",
        message: this.#decoder.problem,
      });
    }
    if (part === "request") this.#onRequest(streamId, endStream, reader);
    else if (stream === undefined) this.#onRefused(streamId);
    else if (stream.remoteEnded) this.#streamError(stream, AFTER_END);
    else if (part === "response") this.#onResponse(stream, endStream, reader);
    else this.#onTrailers(stream, endStream, reader);
    reader.busy = false;
  }

  onFrame(type: number, flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    const length = end - start;
    switch (type) {
      case FrameType.WINDOW_UPDATE:
        return this.#onWindowUpdate(streamId, length, length === 4 ? readU31(buf, start) : 0);
      case FrameType.RST_STREAM:
        return this.#onRstStream(streamId, length, readU32(buf, start));
      case FrameType.SETTINGS:
        return this.#onSettings(flags, streamId, buf, start, end);
      case FrameType.PING:
        return this.#onPing(flags, streamId, buf, start, end);
      case FrameType.GOAWAY:
        return this.#onGoaway(streamId, buf, start, end);
      case FrameType.PRIORITY:
        return this.#onPriority(streamId, length);
      case FrameType.PRIORITY_UPDATE:
        return this.#onPriorityUpdate(streamId, buf, start, end);
      default:
        return this.#protocolError("RFC 9113 §8.4", "PUSH_PROMISE where push is not enabled");
    }
  }

  onIdleFrame(unknown: boolean): void {
    if (unknown) this.#spend(this.#control, "control frames");
    else this.#spend(this.#empty, "empty frames");
  }

  onFramingError(error: Http2Error): void {
    this.#failWith(error);
  }

  // ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────

  #onRequest(streamId: number, endStream: boolean, reader: MessageReader): void {
    if (!reader.finish()) return this.#rejectRequest(streamId, endStream, reader);
    const head = reader.request;
    const isTunnel = head.protocol !== "" || head.method === "CONNECT";
    const expected = isTunnel ? -1 : head.contentLength;
    if (endStream && expected > 0) {
      this.#streams.close(streamId, PastStream.RESET_BY_US);
      return this.#refuse(streamId, WRONG_LENGTH);
    }
    const stream = new Http2Stream(this, streamId, this.#peer.initialWindowBytes, this.#streamWindow);
    stream.isTunnel = isTunnel;
    stream.protocol = head.protocol;
    stream.expectedLength = expected;
    stream.remoteEnded = endStream;
    if (reader.priority !== "" && this.#settings.priorities) stream.urgency = urgencyOf(reader.priority);
    this.#streams.add(stream);
    this.#active++;
    stream.handler = this.#server?.onRequest(stream, head, endStream);
  }

  /** A request that no handler sees: 431 when it is too large, RST_STREAM when it is malformed. */
  #rejectRequest(streamId: number, endStream: boolean, reader: MessageReader): void {
    if (!reader.tooLarge) {
      this.#streams.close(streamId, PastStream.RESET_BY_US);
      return this.#refuse(streamId, malformed(reader));
    }
    const { writer, encoder } = this.#sender;
    const at = writer.header(0, FrameType.HEADERS, 0, streamId);
    encoder.begin(writer);
    encoder.field(writer, ":status", "431", false);
    writer.finishHeaders(at, streamId, true);
    if (!endStream) writer.rstStream(streamId, StreamErrorCode.NO_ERROR);
    this.#sender.schedule();
    this.#streams.close(streamId, endStream ? PastStream.ENDED : PastStream.RESET_BY_US);
    this.#handler.onStreamError(this.#tooLarge());
    this.#spend(this.#resets, "stream resets");
  }

  /** A header block for a stream that is not taken. */
  #onRefused(streamId: number): void {
    if (this.#role === "client" || streamId !== this.#newestId) return;
    if (this.#streams.past(streamId, this.#newestId) !== PastStream.SKIPPED) return;
    this.#streams.close(streamId, PastStream.RESET_BY_US);
    if (streamId > this.#lastTakenId) return;
    this.#sender.writer.rstStream(streamId, StreamErrorCode.REFUSED_STREAM);
    this.#sender.schedule();
    this.#spend(this.#resets, "streams beyond the limit");
  }

  #onResponse(stream: Http2Stream, endStream: boolean, reader: MessageReader): void {
    if (!reader.finish()) return this.#streamError(stream, reader.tooLarge ? this.#tooLarge() : malformed(reader));
    const head = reader.response;
    const { status } = head;
    if (status < 200) {
      if (endStream) return this.#streamError(stream, streamRule("RFC 9113 §8.1", "a 1xx response ends the stream"));
      if (++stream.informationalCount > this.#limits.maxInformational) {
        return this.#streamError(stream, streamRule("RFC 9110 §15.2", "too many 1xx responses"));
      }
      stream.handler?.onInformational?.(head);
      return;
    }
    stream.responseStarted = true;
    if (stream.isTunnel && status < 300) {
      head.protocol = stream.protocol;
    } else {
      const bodyless = stream.isHead || status === 204 || status === 304;
      stream.expectedLength = bodyless ? 0 : head.contentLength;
      stream.isTunnel = false;
    }
    if (endStream) {
      if (!this.#lengthMatches(stream)) return this.#streamError(stream, WRONG_LENGTH);
      stream.remoteEnded = true;
    }
    stream.handler?.onResponse?.(head, endStream);
    if (stream.remoteEnded && stream.localEnded && !stream.closed) this.#closeStream(stream, PastStream.ENDED);
  }

  #onTrailers(stream: Http2Stream, endStream: boolean, reader: MessageReader): void {
    if (!reader.finish()) return this.#streamError(stream, reader.tooLarge ? this.#tooLarge() : malformed(reader));
    if (!endStream) return this.#streamError(stream, streamRule("RFC 9113 §8.1", "trailers do not end the stream"));
    if (stream.isTunnel) return this.#streamError(stream, streamRule("RFC 9113 §8.5", "trailers in a tunnel"));
    if (!this.#lengthMatches(stream)) return this.#streamError(stream, WRONG_LENGTH);
    stream.remoteEnded = true;
    stream.handler?.onTrailers(reader.trailers);
    if (stream.localEnded && !stream.closed) this.#closeStream(stream, PastStream.ENDED);
  }

  #headDone(stream: Http2Stream, at: number, end: boolean): void {
    const { writer } = this.#sender;
    writer.finishHeaders(at, stream.id, end);
    stream.headSent = true;
    stream.lastFrameAt = at;
    stream.lastFrameEpoch = writer.epoch;
    this.#sender.schedule();
    if (!end) return;
    stream.localEnded = true;
    this.onLocalEnd(stream);
  }

  #lengthMatches(stream: Http2Stream): boolean {
    return stream.expectedLength < 0 || stream.expectedLength === stream.receivedLength;
  }

  #dataProblem(stream: Http2Stream, length: number, content: number): Http2Error | undefined {
    if (stream.remoteEnded) return AFTER_END;
    if (this.#role === "client" && !stream.responseStarted) return streamRule("RFC 9113 §8.1", "DATA before HEADERS");
    if (length > stream.receiveWindow) {
      return new Http2Error(HTTP2_FLOW_CONTROL_ERROR, StreamErrorCode.FLOW_CONTROL_ERROR, {
        section: "RFC 9113 §6.9.1",
        message: "DATA beyond the window of the stream",
      });
    }
    if (stream.expectedLength >= 0 && stream.receivedLength + content > stream.expectedLength) return WRONG_LENGTH;
    return undefined;
  }

  // ── Other frames ────────────────────────────────────────────────────────────────────────────────────────────────

  #onWindowUpdate(streamId: number, length: number, increment: number): void {
    if (length !== 4) return this.#frameSizeError("RFC 9113 §6.9", "WINDOW_UPDATE");
    if (this.#windowUpdateCredit > 0) this.#windowUpdateCredit--;
    else if (!this.#spend(this.#windowUpdates, "window updates")) return;
    const sender = this.#sender;
    if (streamId === 0) {
      if (increment === 0) return this.#protocolError("RFC 9113 §6.9", "a window update of 0");
      if (sender.window + increment > MAX_31_BIT) {
        return this.#fail(HTTP2_FLOW_CONTROL_ERROR, StreamErrorCode.FLOW_CONTROL_ERROR, WINDOW_OVERFLOW);
      }
      sender.window += increment;
      sender.wakeAll();
      return;
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      this.#closedStreamFrame(streamId, FrameType.WINDOW_UPDATE);
      return;
    }
    if (increment === 0) return this.#streamError(stream, streamRule("RFC 9113 §6.9", "a window update of 0"));
    if (stream.sendWindow + increment > MAX_31_BIT) {
      const code = StreamErrorCode.FLOW_CONTROL_ERROR;
      return this.#streamError(stream, new Http2Error(HTTP2_FLOW_CONTROL_ERROR, code, WINDOW_OVERFLOW));
    }
    stream.sendWindow += increment;
    sender.wake(stream);
  }

  #onRstStream(streamId: number, length: number, code: number): void {
    if (length !== 4) return this.#frameSizeError("RFC 9113 §6.4", "RST_STREAM");
    if (streamId === 0) return this.#protocolError("RFC 9113 §6.4", "RST_STREAM on stream 0");
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      this.#closedStreamFrame(streamId, FrameType.RST_STREAM);
      return;
    }
    this.#closeStream(stream, PastStream.RESET_BY_PEER);
    stream.handler?.onReset(code, `the peer reset the stream with code ${code}`);
    if (this.#role === "server") this.#spend(this.#resets, "stream resets");
  }

  #onSettings(flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    if (streamId !== 0) return this.#protocolError("RFC 9113 §6.5", "SETTINGS on a stream");
    if ((flags & FrameFlag.ACK) !== 0) {
      if (start !== end) return this.#frameSizeError("RFC 9113 §6.5", "SETTINGS acknowledgement");
      if (this.#unackedSettings === 0) this.#spend(this.#control, "control frames");
      else this.#settingsAcked();
      return;
    }
    if ((end - start) % 6 !== 0) return this.#frameSizeError("RFC 9113 §6.5", "SETTINGS");
    if (!this.#spend(this.#control, "control frames")) return;
    const peer = this.#peer;
    const sender = this.#sender;
    const oldWindow = peer.initialWindowBytes;
    const problem = peer.apply(buf, start, end);
    if (problem !== undefined) return this.#failWith(problem);
    sender.encoder.setPeerTableBytes(peer.headerTableBytes);
    const delta = peer.initialWindowBytes - oldWindow;
    if (delta !== 0 && !this.#moveSendWindows(delta)) return;
    sender.writer.settingsAck();
    sender.schedule();
    this.#handler.onSettings();
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE changed by `delta`: so do the windows of all streams (RFC 9113 §6.9.2). */
  #moveSendWindows(delta: number): boolean {
    for (const stream of this.#streams.snapshot()) {
      if (stream.sendWindow + delta > MAX_31_BIT) {
        this.#fail(HTTP2_FLOW_CONTROL_ERROR, StreamErrorCode.FLOW_CONTROL_ERROR, WINDOW_OVERFLOW);
        return false;
      }
      stream.sendWindow += delta;
      this.#sender.wake(stream);
    }
    return true;
  }

  #settingsAcked(): void {
    this.#unackedSettings--;
    this.#decoder.setAllowedTableBytes(this.#settings.headerTableBytes);
    const delta = this.#settings.initialWindowBytes - this.#streamWindow;
    if (delta === 0) return;
    this.#streamWindow += delta;
    for (const stream of this.#streams.snapshot()) {
      stream.receiveWindow += delta;
      // Bytes that were too few to be worth a grant under the old window may be all of the new one.
      if (!stream.remoteEnded) this.#grantStream(stream, 0);
    }
  }

  #onPing(flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    if (streamId !== 0) return this.#protocolError("RFC 9113 §6.7", "PING on a stream");
    if (end - start !== 8) return this.#frameSizeError("RFC 9113 §6.7", "PING");
    if (!this.#spend(this.#control, "control frames")) return;
    if ((flags & FrameFlag.ACK) === 0) {
      this.#sender.writer.ping(true, buf, start);
      this.#sender.schedule();
      return;
    }
    const tag = readU32(buf, start);
    if (tag === OWNER_PING) this.#handler.onPong(readU32(buf, start + 4));
    else if (tag === SHUTDOWN_PING && this.#shutdown === Shutdown.ANNOUNCED) this.#finalGoaway();
  }

  #onGoaway(streamId: number, buf: Buffer, start: number, end: number): void {
    if (streamId !== 0) return this.#protocolError("RFC 9113 §6.8", "GOAWAY on a stream");
    if (end - start < 8) return this.#frameSizeError("RFC 9113 §6.8", "GOAWAY");
    if (!this.#spend(this.#control, "control frames")) return;
    const lastId = readU31(buf, start);
    const code = readU32(buf, start + 4);
    const debug = buf.latin1Slice(start + 8, Math.min(end, start + 8 + 256));
    this.#draining = true;
    this.#closeWhenIdle = true;
    if (this.#role === "client") {
      for (const stream of this.#streams.snapshot()) {
        if (stream.id > lastId) this.#endEarly(stream, StreamErrorCode.REFUSED_STREAM, "the peer takes no more requests");
      }
    }
    this.#handler.onGoaway(lastId, code, debug);
    this.#checkIdle();
  }

  #onPriority(streamId: number, length: number): void {
    if (streamId === 0) return this.#protocolError("RFC 9113 §6.3", "PRIORITY on stream 0");
    if (!this.#spend(this.#control, "control frames") || length === 5) return;
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    const rule = { section: "RFC 9113 §6.3", message: "a PRIORITY frame of wrong length" };
    this.#streamError(stream, new Http2Error(HTTP2_FRAME_SIZE_ERROR, StreamErrorCode.FRAME_SIZE_ERROR, rule));
  }

  #onPriorityUpdate(streamId: number, buf: Buffer, start: number, end: number): void {
    if (streamId !== 0 || this.#role === "client") return this.#protocolError("RFC 9218 §7.1", "a misplaced PRIORITY_UPDATE");
    if (end - start < 4) return this.#frameSizeError("RFC 9218 §7.1", "PRIORITY_UPDATE");
    const target = readU31(buf, start);
    if (target === 0) return this.#protocolError("RFC 9218 §7.1", "PRIORITY_UPDATE for stream 0");
    if (!this.#spend(this.#control, "control frames")) return;
    const stream = this.#streams.get(target);
    if (stream === undefined || !this.#settings.priorities || end - start > 64) return;
    this.#sender.setUrgency(stream, urgencyOf(buf.latin1Slice(start + 4, end)));
  }

  /** A frame for a stream that is not open. True when it is to be ignored, false when it ended the connection. */
  #closedStreamFrame(streamId: number, type: number): boolean {
    const ours = (streamId & 1) === 1 ? this.#role === "client" : this.#role === "server";
    // Streams of clients only: nobody pushes.
    if (streamId > this.#newestId || (this.#role === "server") === ours) {
      this.#protocolError("RFC 9113 §5.1", "a frame for a stream that was never opened");
      return false;
    }
    const past = this.#streams.past(streamId, this.#newestId);
    if (past === PastStream.SKIPPED) {
      this.#protocolError("RFC 9113 §5.1.1", "a frame for a stream id that was passed over");
      return false;
    }
    const carriesMessage = type === FrameType.DATA || type === FrameType.HEADERS;
    if (carriesMessage && (past === PastStream.ENDED || past === PastStream.RESET_BY_PEER)) {
      this.#fail(HTTP2_PROTOCOL_ERROR, StreamErrorCode.STREAM_CLOSED, {
        section: "RFC 9113 §5.1",
        message: "DATA or HEADERS on a closed stream",
      });
      return false;
    }
    return type === FrameType.DATA || this.#spend(this.#control, "frames for closed streams");
  }

  // ── Flow control towards us ─────────────────────────────────────────────────────────────────────────────────────

  #grant(stream: Http2Stream, count: number): void {
    if (!stream.remoteEnded && !stream.closed) this.#grantStream(stream, count);
    this.#grantConnection(count);
  }

  #grantStream(stream: Http2Stream, count: number): void {
    stream.toGrant += count;
    if (stream.toGrant === 0 || stream.toGrant * 2 < this.#streamWindow) return;
    this.#sender.writer.windowUpdate(stream.id, stream.toGrant);
    stream.receiveWindow += stream.toGrant;
    stream.toGrant = 0;
    this.#sender.schedule();
  }

  #grantConnection(count: number): void {
    this.#toGrant += count;
    if (this.#dead || this.#toGrant * 2 < this.#settings.connectionWindowBytes) return;
    this.#sender.writer.windowUpdate(0, this.#toGrant);
    this.#receiveWindow += this.#toGrant;
    this.#toGrant = 0;
    this.#sender.schedule();
  }

  // ── Ends ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #closeStream(stream: Http2Stream, how: PastStreamValue): void {
    stream.closed = true;
    this.#streams.close(stream.id, how);
    this.#sender.drop(stream);
    if (how !== PastStream.ENDED && stream.unconsumed > 0) {
      // What the handler still holds is its own affair now; the connection must not run dry for it.
      this.#grantConnection(stream.unconsumed);
      stream.unconsumed = 0;
    }
    this.#active--;
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#active > 0 || this.#dead) return;
    if (this.#closeWhenIdle) this.#sender.schedule();
    this.#handler.onIdle();
  }

  /** Resets the stream for a reason that its handler learns, and the peer too if it is still there. */
  #endEarly(stream: Http2Stream, code: number, cause: string): void {
    if (stream.closed) return;
    this.#closeStream(stream, PastStream.RESET_BY_US);
    stream.handler?.onReset(code, cause);
  }

  /** The peer broke a rule on one stream (RFC 9113 §5.4.2). Counted, because resets made us do work for nothing. */
  #streamError(stream: Http2Stream, error: Http2Error): void {
    this.#sender.writer.rstStream(stream.id, error.code);
    this.#sender.schedule();
    this.#endEarly(stream, error.code, error.toString());
    this.#handler.onStreamError(error);
    this.#spend(this.#resets, "stream errors");
  }

  /** As #streamError for a stream that no handler has seen. */
  #refuse(streamId: number, error: Http2Error): void {
    this.#sender.writer.rstStream(streamId, error.code);
    this.#sender.schedule();
    this.#handler.onStreamError(error);
    this.#spend(this.#resets, "stream errors");
  }

  #spend(budget: FloodBudget, what: string): boolean {
    if (budget.spend(this.#clock.monotonicMs())) return true;
    this.#flood("RFC 9113 §10.5", `too many ${what}`);
    return false;
  }

  #flood(section: string, message: string): void {
    this.#fail(HTTP2_FLOOD, StreamErrorCode.ENHANCE_YOUR_CALM, { section, message });
  }

  #protocolError(section: string, message: string): void {
    this.#fail(HTTP2_PROTOCOL_ERROR, StreamErrorCode.PROTOCOL_ERROR, { section, message });
  }

  #frameSizeError(section: string, frame: string): void {
    const message = `a ${frame} frame of wrong length`;
    this.#fail(HTTP2_FRAME_SIZE_ERROR, StreamErrorCode.FRAME_SIZE_ERROR, { section, message });
  }

  #fail(...[kind, code, rule]: ConstructorParameters<typeof Http2Error>): void {
    this.#failWith(new Http2Error(kind, code, rule));
  }

  /** The peer broke a rule of the connection (RFC 9113 §5.4.1). */
  #failWith(error: Http2Error): void {
    if (this.#dead) return;
    this.#sayGoaway(error.code, error.message);
    this.#die();
    this.#resetAll(error.code, error.toString());
    this.#handler.onError(error);
    this.#output.close();
  }

  /** Writes GOAWAY at once, also when the transport is blocked: what waited is then given up. */
  #sayGoaway(code: number, debug: string): void {
    const { writer, blocked } = this.#sender;
    if (blocked) writer.release();
    writer.goaway(this.#lastId(), code, debug);
    this.#output.write(writer.buffer, 0, writer.length);
  }

  #lastId(): number {
    return this.#role === "server" ? Math.min(this.#newestId, this.#lastTakenId) : 0;
  }

  #finalGoaway(): void {
    this.#shutdown = Shutdown.FINAL;
    this.#lastTakenId = this.#role === "server" ? this.#newestId : this.#lastTakenId;
    this.#draining = true;
    this.#closeWhenIdle = true;
    this.#sender.writer.goaway(this.#lastId(), StreamErrorCode.NO_ERROR, "");
    this.#sender.schedule();
  }

  /** The orderly end: no stream is open and none can be. */
  #close(): void {
    if (this.#shutdown !== Shutdown.FINAL) this.#sayGoaway(StreamErrorCode.NO_ERROR, "");
    this.#die();
    this.#output.close();
  }

  #die(): void {
    this.#dead = true;
    this.#draining = true;
    this.#reader.stop();
    this.#sender.stop();
  }

  #resetAll(code: number, cause: string): void {
    for (const stream of this.#streams.snapshot()) this.#endEarly(stream, code, cause);
  }

  #lostCode(): number {
    return this.#role === "server" ? StreamErrorCode.CANCEL : StreamErrorCode.INTERNAL_ERROR;
  }

  #tooLarge(): Http2Error {
    return new Http2Error(HTTP2_HEADERS_TOO_LARGE, StreamErrorCode.ENHANCE_YOUR_CALM, {
      section: "RFC 9113 §10.5.1",
      message: `a header section of more than ${this.#limits.maxHeaderListBytes} bytes or ${this.#limits.maxHeaderFields} fields`,
    });
  }

  // ── Composition ─────────────────────────────────────────────────────────────────────────────────────────────────

  #writePing(tag: number, value: number): void {
    const { writer } = this.#sender;
    writer.header(8, FrameType.PING, 0, 0);
    writer.u32(tag);
    writer.u32(value);
  }

  #sendPreface(): void {
    const { writer } = this.#sender;
    const settings = this.#settings;
    if (this.#role === "client") writer.bytes(CLIENT_PREFACE, 0, CLIENT_PREFACE.length);
    const at = writer.header(0, FrameType.SETTINGS, 0, 0);
    const put = (id: number, value: number): void => {
      writer.byte(id >>> 8);
      writer.byte(id);
      writer.u32(value);
    };
    if (settings.headerTableBytes !== 4096) put(SettingId.HEADER_TABLE_SIZE, settings.headerTableBytes);
    put(SettingId.INITIAL_WINDOW_SIZE, settings.initialWindowBytes);
    put(SettingId.MAX_FRAME_SIZE, settings.maxFrameBytes);
    put(SettingId.MAX_HEADER_LIST_SIZE, this.#limits.maxHeaderListBytes);
    put(SettingId.NO_RFC7540_PRIORITIES, 1);
    if (this.#role === "client") {
      put(SettingId.ENABLE_PUSH, 0);
    } else {
      put(SettingId.MAX_CONCURRENT_STREAMS, settings.maxConcurrentStreams);
      if (settings.extendedConnect) put(SettingId.ENABLE_CONNECT_PROTOCOL, 1);
    }
    writer.buffer[at + 2] = writer.length - at - 9;
    const extra = this.#receiveWindow - DEFAULT_WINDOW;
    if (extra > 0) writer.windowUpdate(0, extra);
    this.#sender.schedule();
  }
}

const WINDOW_OVERFLOW = { section: "RFC 9113 §6.9.1", message: "a window above 2^31-1" } as const;

function streamRule(section: string, message: string): Http2Error {
  return new Http2Error(HTTP2_MALFORMED_MESSAGE, StreamErrorCode.PROTOCOL_ERROR, { section, message });
}

const WRONG_LENGTH: Http2Error = streamRule("RFC 9113 §8.1.1", "the body's length differs from content-length");

const AFTER_END: Http2Error = new Http2Error(HTTP2_PROTOCOL_ERROR, StreamErrorCode.STREAM_CLOSED, {
  section: "RFC 9113 §5.1",
  message: "DATA or HEADERS after END_STREAM",
});

function malformed(reader: MessageReader): Http2Error {
  return streamRule(reader.section, reader.problem);
}

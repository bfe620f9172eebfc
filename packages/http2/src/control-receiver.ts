// Frames that carry no message: settings, windows, resets, pings, priorities and GOAWAY (RFC 9113 §6, RFC 9218 §7).

import { StreamErrorCode } from "@ripstop/http";
import { malformedMessage, TUNER_PING, type ConnectionState } from "./connection-state.ts";
import { HTTP2_FLOW_CONTROL_ERROR, HTTP2_FRAME_SIZE_ERROR, Http2Error } from "./errors.ts";
import { FrameFlag, FrameType, MAX_31_BIT, readU31, readU32 } from "./frames.ts";
import type { HpackDecoder } from "./hpack/decoder.ts";
import { urgencyOf } from "./message-reader.ts";
import { PastStream } from "./stream-table.ts";

/** First words of PING payloads: the owner's, and the one that ends the first step of a graceful shutdown. */
const OWNER_PING = 0x5253_5031;
const SHUTDOWN_PING = 0x5253_5032;

/** GOAWAY texts are kept to this length. */
const MAX_DEBUG_BYTES = 256;

/** One per connection. */
export class ControlReceiver {
  readonly #state: ConnectionState;
  readonly #decoder: HpackDecoder;
  #isAcknowledged = false;
  #shutdownAnnounced = false;

  constructor(state: ConnectionState, decoder: HpackDecoder) {
    this.#state = state;
    this.#decoder = decoder;
  }

  /** The peer has acknowledged our first SETTINGS. */
  get settingsAcknowledged(): boolean {
    return this.#isAcknowledged;
  }

  /** Sends a PING whose answer becomes `onPong(value)`. */
  ping(value: number): void {
    this.#state.sendPing(OWNER_PING, value);
  }

  /**
   * Begins a graceful end. A server first says that no more requests should come, and takes those on their way until
   * its PING is answered; a client needs no first step (RFC 9113 §6.8).
   */
  shutdown(): void {
    const state = this.#state;
    if (state.finalGoawaySent || this.#shutdownAnnounced) return;
    if (state.role === "client") return state.finalGoaway();
    this.#shutdownAnnounced = true;
    state.sender.writer.goaway(MAX_31_BIT, StreamErrorCode.NO_ERROR, "shutting down");
    state.sendPing(SHUTDOWN_PING, 0);
  }

  /** Any frame other than DATA, HEADERS and CONTINUATION, whole. */
  onFrame(type: number, flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.WINDOW_UPDATE:
        return this.#onWindowUpdate(streamId, buf, start, end);
      case FrameType.RST_STREAM:
        return this.#onRstStream(streamId, buf, start, end);
      case FrameType.SETTINGS:
        return this.#onSettings(flags, streamId, buf, start, end);
      case FrameType.PING:
        return this.#onPing(flags, streamId, buf, start, end);
      case FrameType.GOAWAY:
        return this.#onGoaway(streamId, buf, start, end);
      case FrameType.PRIORITY:
        return this.#onPriority(streamId, end - start);
      case FrameType.PRIORITY_UPDATE:
        return this.#onPriorityUpdate(streamId, buf, start, end);
      default:
        return this.#state.protocolError("RFC 9113 §8.4", "PUSH_PROMISE where push is not enabled");
    }
  }

  #onWindowUpdate(streamId: number, buf: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (end - start !== 4) return state.frameSizeError("RFC 9113 §6.9", "WINDOW_UPDATE");
    if (state.windowUpdateCredit > 0) state.windowUpdateCredit--;
    else if (!state.spend(state.windowUpdates, "window updates")) return;
    const increment = readU31(buf, start);
    if (streamId === 0) return this.#onConnectionWindow(increment);
    const stream = state.streams.get(streamId);
    if (stream === undefined) {
      state.ignoresClosed(streamId, FrameType.WINDOW_UPDATE);
      return;
    }
    if (increment === 0) return state.streamError(stream, malformedMessage("RFC 9113 §6.9", "a window update of 0"));
    if (stream.sendWindow + increment > MAX_31_BIT) return state.streamError(stream, WINDOW_OVERFLOW);
    stream.sendWindow += increment;
    state.sender.wake(stream);
  }

  #onConnectionWindow(increment: number): void {
    const { sender } = this.#state;
    if (increment === 0) return this.#state.protocolError("RFC 9113 §6.9", "a window update of 0");
    if (sender.window + increment > MAX_31_BIT) return this.#state.fail(WINDOW_OVERFLOW);
    sender.window += increment;
    sender.wakeAll();
  }

  #onRstStream(streamId: number, buf: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (end - start !== 4) return state.frameSizeError("RFC 9113 §6.4", "RST_STREAM");
    if (streamId === 0) return state.protocolError("RFC 9113 §6.4", "RST_STREAM on stream 0");
    const stream = state.streams.get(streamId);
    if (stream === undefined) {
      state.ignoresClosed(streamId, FrameType.RST_STREAM);
      return;
    }
    const code = readU32(buf, start);
    state.endEarly(stream, PastStream.RESET_BY_PEER, code, `the peer reset the stream with code ${code}`);
    if (state.role === "server") state.spend(state.resets, "stream resets");
  }

  #onSettings(flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (streamId !== 0) return state.protocolError("RFC 9113 §6.5", "SETTINGS on a stream");
    if ((flags & FrameFlag.ACK) !== 0) {
      if (start !== end) return state.frameSizeError("RFC 9113 §6.5", "SETTINGS acknowledgement");
      if (state.settingsPending) this.#onSettingsAck();
      else state.spend(state.control, "control frames");
      return;
    }
    if ((end - start) % 6 !== 0) return state.frameSizeError("RFC 9113 §6.5", "SETTINGS");
    if (!state.spend(state.control, "control frames") || !this.applySettings(buf, start, end)) return;
    state.sender.writer.settingsAck();
    state.sender.schedule();
    state.handler.onSettings();
  }

  /** Puts the settings `buf[start, end)` (a multiple of six bytes) in force. False when they ended the connection. */
  applySettings(buf: Buffer, start: number, end: number): boolean {
    const state = this.#state;
    const { peer, sender } = state;
    const oldWindow = peer.initialWindowBytes;
    const problem = peer.apply(buf, start, end);
    if (problem !== undefined) {
      state.fail(problem);
      return false;
    }
    sender.encoder.setPeerTableBytes(peer.lowestHeaderTableBytes);
    sender.encoder.setPeerTableBytes(peer.headerTableBytes);
    const delta = peer.initialWindowBytes - oldWindow;
    return delta === 0 || this.#moveSendWindows(delta);
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE changed by `delta`: so do the windows of all streams (RFC 9113 §6.9.2). */
  #moveSendWindows(delta: number): boolean {
    const state = this.#state;
    for (const stream of state.streams.snapshot()) {
      if (stream.sendWindow + delta > MAX_31_BIT) {
        state.fail(WINDOW_OVERFLOW);
        return false;
      }
      stream.sendWindow += delta;
      state.sender.wake(stream);
    }
    return true;
  }

  /** From here on the peer keeps to our table size and windows. */
  #onSettingsAck(): void {
    const state = this.#state;
    state.settingsPending = false;
    this.#isAcknowledged = true;
    this.#decoder.setAllowedTableBytes(state.settings.headerTableBytes);
    const delta = state.toldWindow - state.streamWindow;
    if (delta === 0) return;
    state.streamWindow += delta;
    for (const stream of state.streams.snapshot()) {
      stream.receiveWindow += delta;
      // Bytes that were too few to be worth a grant under the old window may be all of the new one.
      if (!stream.remoteEnded) state.grantStream(stream, 0);
    }
  }

  #onPing(flags: number, streamId: number, buf: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (streamId !== 0) return state.protocolError("RFC 9113 §6.7", "PING on a stream");
    if (end - start !== 8) return state.frameSizeError("RFC 9113 §6.7", "PING");
    if (!state.spend(state.control, "control frames")) return;
    if ((flags & FrameFlag.ACK) === 0) {
      state.sender.writer.ping(true, buf, start);
      state.sender.schedule();
      return;
    }
    const tag = readU32(buf, start);
    if (tag === OWNER_PING) state.handler.onPong(readU32(buf, start + 4));
    else if (tag === TUNER_PING) state.tuner?.onPong();
    else if (tag === SHUTDOWN_PING && this.#shutdownAnnounced && !state.finalGoawaySent) state.finalGoaway();
  }

  #onGoaway(streamId: number, buf: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (streamId !== 0) return state.protocolError("RFC 9113 §6.8", "GOAWAY on a stream");
    if (end - start < 8) return state.frameSizeError("RFC 9113 §6.8", "GOAWAY");
    if (!state.spend(state.control, "control frames")) return;
    const lastId = readU31(buf, start);
    const code = readU32(buf, start + 4);
    const debug = buf.latin1Slice(start + 8, Math.min(end, start + 8 + MAX_DEBUG_BYTES));
    state.draining = true;
    if (state.role === "client") {
      for (const stream of state.streams.snapshot()) {
        if (stream.id <= lastId) continue;
        state.endEarly(
          stream,
          PastStream.RESET_BY_US,
          StreamErrorCode.REFUSED_STREAM,
          "the peer takes no more requests",
        );
      }
    }
    state.handler.onGoaway(lastId, code, debug);
    state.closeWhenIdle = true;
    if (state.active === 0) state.sender.schedule();
  }

  #onPriority(streamId: number, length: number): void {
    const state = this.#state;
    if (streamId === 0) return state.protocolError("RFC 9113 §6.3", "PRIORITY on stream 0");
    if (!state.spend(state.control, "control frames") || length === 5) return;
    const stream = state.streams.get(streamId);
    if (stream === undefined) return;
    const rule = { section: "RFC 9113 §6.3", message: "PRIORITY of wrong length" };
    state.streamError(stream, new Http2Error(HTTP2_FRAME_SIZE_ERROR, StreamErrorCode.FRAME_SIZE_ERROR, rule));
  }

  #onPriorityUpdate(streamId: number, buf: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (streamId !== 0 || state.role === "client") {
      return state.protocolError("RFC 9218 §7.1", "a misplaced PRIORITY_UPDATE");
    }
    if (end - start < 4) return state.frameSizeError("RFC 9218 §7.1", "PRIORITY_UPDATE");
    const target = readU31(buf, start);
    if (target === 0) return state.protocolError("RFC 9218 §7.1", "PRIORITY_UPDATE for stream 0");
    if (!state.spend(state.control, "control frames")) return;
    const stream = state.streams.get(target);
    if (stream === undefined || !state.settings.priorities || end - start > 64) return;
    state.sender.setUrgency(stream, urgencyOf(buf.latin1Slice(start + 4, end)));
  }
}

const WINDOW_OVERFLOW: Http2Error = new Http2Error(HTTP2_FLOW_CONTROL_ERROR, StreamErrorCode.FLOW_CONTROL_ERROR, {
  section: "RFC 9113 §6.9.1",
  message: "a window above 2^31-1",
});

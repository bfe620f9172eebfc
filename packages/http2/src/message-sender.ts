// What a stream's owner asks for: heads, bodies, ends and grants (RFC 9113 §8.1).

import {
  queuedBodies,
  StreamErrorCode,
  UNKNOWN_LENGTH,
  type HeaderList,
  type RequestHead,
  type ResponseHead,
} from "@ripstop/http";
import type { ConnectionState } from "./connection-state.ts";
import { FrameType } from "./frames.ts";
import { writeFields, writeRequestHead, writeStatus } from "./head-writer.ts";
import type { Http2Stream, StreamOwner } from "./stream.ts";

/** One per connection. */
export class MessageSender implements StreamOwner {
  readonly #state: ConnectionState;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  sendRequest(stream: Http2Stream, head: RequestHead, end: boolean): void {
    if (stream.closed || stream.headSent) return;
    const state = this.#state;
    if (state.draining) {
      return this.#failUnsent(stream, StreamErrorCode.REFUSED_STREAM, "the connection takes no more requests");
    }
    if (head.protocol !== "" && !state.peer.extendedConnect) {
      const cause = "the peer does not allow extended CONNECT (RFC 8441)";
      return this.#failUnsent(stream, StreamErrorCode.HTTP_1_1_REQUIRED, cause);
    }
    if (head.protocol !== "" && (head.method !== "GET" || head.protocol.includes("/"))) {
      // RFC 8441 §5 has a GET on the other side, and :protocol no version.
      const cause = `an upgrade of ${head.method} to ${head.protocol} cannot be said in HTTP/2 (RFC 8441)`;
      return this.#failUnsent(stream, StreamErrorCode.HTTP_1_1_REQUIRED, cause);
    }
    if (queuedBodies.isTight !== state.isTight) state.adaptWindows();
    state.newestId += 2;
    stream.id = state.newestId;
    stream.sendWindow = state.peer.initialWindowBytes;
    stream.receiveWindow = state.streamWindow;
    stream.isHead = head.method === "HEAD";
    stream.isTunnel = head.method === "CONNECT" || head.protocol !== "";
    stream.protocol = head.protocol;
    state.streams.add(stream);
    const { writer, encoder } = state.sender;
    const at = writer.header(0, FrameType.HEADERS, 0, stream.id);
    writeRequestHead(encoder, writer, head);
    this.#headDone(stream, at, end);
  }

  sendResponse(stream: Http2Stream, head: ResponseHead, end: boolean): void {
    if (stream.closed || stream.headSent) return;
    // An upstream that switched protocols by 101 has answered the extended CONNECT with success (RFC 8441 §5).
    const status = head.status === 101 && stream.protocol !== "" ? 200 : head.status;
    const { writer, encoder } = this.#state.sender;
    const at = writer.header(0, FrameType.HEADERS, 0, stream.id);
    // No length where there can be no content: 204, and a success that opens a tunnel (RFC 9110 §8.6).
    const hasLength = status !== 204 && !(stream.isTunnel && status < 300);
    writeStatus(encoder, writer, status, hasLength ? head.contentLength : UNKNOWN_LENGTH);
    writeFields(encoder, writer, head.headers);
    this.#headDone(stream, at, end);
  }

  sendInformational(stream: Http2Stream, head: ResponseHead): void {
    if (stream.closed || stream.headSent || head.status === 101) return;
    const { writer, encoder } = this.#state.sender;
    const at = writer.header(0, FrameType.HEADERS, 0, stream.id);
    writeStatus(encoder, writer, head.status, UNKNOWN_LENGTH);
    writeFields(encoder, writer, head.headers);
    writer.finishHeaders(at, stream.id, false);
    this.#state.sender.schedule();
  }

  sendBody(stream: Http2Stream, buf: Buffer, start: number, end: number): boolean {
    return this.#state.sender.sendBody(stream, buf, start, end);
  }

  sendTrailers(stream: Http2Stream, trailers: HeaderList): void {
    this.#state.sender.sendTrailers(stream, trailers);
  }

  sendEnd(stream: Http2Stream): void {
    this.#state.sender.sendEnd(stream);
  }

  resetStream(stream: Http2Stream, code: number): void {
    if (stream.closed) return;
    if (stream.id !== 0) return this.#state.resetByUs(stream, code);
    stream.closed = true;
    this.#state.active--;
    this.#state.checkIdle();
  }

  consumed(stream: Http2Stream, count: number): void {
    const used = Math.min(count, stream.unconsumed);
    if (used <= 0 || this.#state.dead) return;
    stream.unconsumed -= used;
    this.#state.grant(stream, used);
  }

  #headDone(stream: Http2Stream, at: number, end: boolean): void {
    const { writer } = this.#state.sender;
    writer.finishHeaders(at, stream.id, end);
    stream.headSent = true;
    stream.lastFrameAt = at;
    stream.lastFrameEpoch = writer.epoch;
    this.#state.sender.schedule();
    if (!end) return;
    stream.localEnded = true;
    this.#state.onLocalEnd(stream);
  }

  #failUnsent(stream: Http2Stream, code: number, cause: string): void {
    stream.closed = true;
    this.#state.active--;
    stream.handler?.onReset(code, cause);
    this.#state.checkIdle();
  }
}

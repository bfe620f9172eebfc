// Incoming messages: header blocks and DATA frames to the calls of a stream's handler, with the rules on their order,
// length and flow control (RFC 9113 §5.1, §6.1, §6.9, §8.1).

import { httpDate, queuedBodies, StreamErrorCode, type RequestHead } from "@ripstop/http";
import { AFTER_END, malformedMessage, WRONG_LENGTH, type ConnectionState } from "./connection-state.ts";
import { HTTP2_COMPRESSION_ERROR, HTTP2_FLOW_CONTROL_ERROR, HTTP2_HEADERS_TOO_LARGE, Http2Error } from "./errors.ts";
import { FrameType } from "./frames.ts";
import { HpackDecoder } from "./hpack/decoder.ts";
import { MessageReader, urgencyOf, type MessagePart, type ReadMessage, type ReadRules } from "./message-reader.ts";
import { RepeatedBlock } from "./repeated-block.ts";
import { Http2Stream, type StreamOwner } from "./stream.ts";
import { PastStream } from "./stream-table.ts";

/** Heads are read here, one block at a time for the whole process: connections hold no heads but those of RepeatedBlock. */
const sharedReader: MessageReader = new MessageReader();

/** A head of more is decoded each time. */
const MOST_RECALLED_BYTES = 4 * 1024;

/** One per connection. */
export class MessageReceiver {
  readonly decoder: HpackDecoder = new HpackDecoder();
  readonly #state: ConnectionState;
  readonly #owner: StreamOwner;
  readonly #rules: ReadRules;
  #requests: RepeatedBlock<ReadMessage> | undefined = undefined;
  #responses: RepeatedBlock<ReadMessage> | undefined = undefined;
  #trailers: RepeatedBlock<ReadMessage> | undefined = undefined;
  /** The stream of the DATA frame that is coming in; undefined when its content is dropped. */
  #dataStream: Http2Stream | undefined = undefined;

  constructor(state: ConnectionState, owner: StreamOwner) {
    this.#state = state;
    this.#owner = owner;
    this.#rules = {
      maxHeaderListBytes: state.limits.maxHeaderListBytes,
      maxHeaderFields: state.limits.maxHeaderFields,
      extendedConnect: state.settings.extendedConnect,
    };
  }

  /** See FrameSink. */
  onDataStart(streamId: number, length: number, padding: number): void {
    const state = this.#state;
    this.#dataStream = undefined;
    if (length > state.receiveWindow) return state.fail(windowExceeded("connection"));
    state.receiveWindow -= length;
    const stream = state.streams.get(streamId);
    if (stream === undefined) {
      if (state.ignoresClosed(streamId, FrameType.DATA)) state.grantConnection(length);
      return;
    }
    const problem = this.#dataProblem(stream, length, length - padding);
    if (problem !== undefined) {
      state.grantConnection(length);
      return state.streamError(stream, problem);
    }
    stream.receiveWindow -= length;
    stream.receivedLength += length - padding;
    if (padding > 0) state.grant(stream, padding);
    if (queuedBodies.isTight !== state.isTight) state.adaptWindows();
    if (length > padding) state.onDataReceived();
    this.#dataStream = stream;
  }

  /** See FrameSink. */
  onData(buf: Buffer, start: number, end: number): void {
    const stream = this.#dataStream;
    if (stream === undefined) return;
    if (stream.closed) {
      this.#state.grantConnection(end - start);
      return;
    }
    stream.unconsumed += end - start;
    stream.handler?.onBody(buf, start, end);
  }

  /** See FrameSink. */
  onDataEnd(endStream: boolean): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (stream === undefined || stream.closed || !endStream) return;
    if (!lengthMatches(stream)) return this.#state.streamError(stream, WRONG_LENGTH);
    stream.remoteEnded = true;
    stream.handler?.onEnd();
    if (stream.localEnded) this.#state.finishStream(stream);
  }

  /** A complete header block. */
  onHeaders(streamId: number, endStream: boolean, buf: Buffer, start: number, end: number): void {
    const state = this.#state;
    const stream = state.streams.get(streamId);
    let part: MessagePart = "ignored";
    if (stream !== undefined) {
      part = state.role === "client" && !stream.responseStarted ? "response" : "trailers";
    } else if (state.role === "server" && (streamId & 1) === 1 && streamId > state.newestId) {
      state.newestId = streamId;
      const taken = streamId <= state.lastTakenId && state.active < state.settings.maxConcurrentStreams;
      part = taken ? "request" : "refused";
    } else if (!state.ignoresClosed(streamId, FrameType.HEADERS)) {
      return;
    }
    const reader = sharedReader.busy ? new MessageReader() : sharedReader;
    reader.busy = true;
    try {
      reader.begin(part, this.#rules);
      if (!this.#read(part, reader, buf, start, end)) {
        const rule = { section: "RFC 7541", message: this.decoder.problem };
        state.fail(new Http2Error(HTTP2_COMPRESSION_ERROR, StreamErrorCode.COMPRESSION_ERROR, rule));
      } else if (part === "request") {
        this.#onRequest(streamId, endStream, reader);
      } else if (part === "refused") {
        this.#onRefused(streamId);
      } else if (stream !== undefined) {
        this.#onStreamHeaders(stream, endStream, reader);
      }
    } finally {
      reader.busy = false;
    }
  }

  /** Reads the block `buf[start, end)`, or recalls what the same one said before. False on a compression error. */
  #read(part: MessagePart, reader: MessageReader, buf: Buffer, start: number, end: number): boolean {
    const { decoder } = this;
    const repeated = this.#repeatedOf(part);
    const { version } = decoder;
    const isSame = repeated?.isSame(buf, start, end, version) === true;
    if (isSame && repeated?.message !== undefined) {
      reader.recall(repeated.message);
      return true;
    }
    if (!decoder.decode(buf, start, end, reader)) return false;
    // A priority is no part of the head. What says much in few bytes, by the table, would be held by idle connections.
    const isKept = isSame && decoder.version === version && reader.listBytes <= MOST_RECALLED_BYTES;
    if (isKept && reader.finish() && reader.priority === "") repeated.message = reader.copy(part);
    return true;
  }

  #repeatedOf(part: MessagePart): RepeatedBlock<ReadMessage> | undefined {
    switch (part) {
      case "request":
        return (this.#requests ??= new RepeatedBlock());
      case "response":
        return (this.#responses ??= new RepeatedBlock());
      case "trailers":
        return (this.#trailers ??= new RepeatedBlock());
      default:
        return undefined;
    }
  }

  #onStreamHeaders(stream: Http2Stream, endStream: boolean, reader: MessageReader): void {
    const state = this.#state;
    if (stream.remoteEnded) return state.streamError(stream, AFTER_END);
    if (!reader.finish()) {
      return state.streamError(
        stream,
        reader.tooLarge ? this.#tooLarge() : malformedMessage(reader.section, reader.problem),
      );
    }
    if (state.role === "client" && !stream.responseStarted) this.#onResponse(stream, endStream, reader);
    else this.#onTrailers(stream, endStream, reader);
  }

  #onRequest(streamId: number, endStream: boolean, reader: MessageReader): void {
    const state = this.#state;
    if (!reader.finish()) {
      if (reader.tooLarge) return this.#answerTooLarge(streamId, endStream);
      return state.refuse(streamId, malformedMessage(reader.section, reader.problem));
    }
    const head = reader.request;
    const isTunnel = head.protocol !== "" || head.method === "CONNECT";
    if (endStream && head.contentLength > 0 && !isTunnel) return state.refuse(streamId, WRONG_LENGTH);
    const stream = this.#openStream(streamId, head, endStream);
    if (reader.priority !== "" && state.settings.priorities) stream.urgency = urgencyOf(reader.priority);
    stream.handler = state.server?.onRequest(stream, head, endStream);
  }

  /** The HTTP/1.1 request that asked for the upgrade to h2c becomes stream 1, complete (RFC 7540 §3.2). */
  onUpgrade(head: RequestHead): void {
    this.#state.newestId = 1;
    const stream = this.#openStream(1, head, true);
    stream.handler = this.#state.server?.onRequest(stream, head, true);
  }

  #openStream(streamId: number, head: RequestHead, endStream: boolean): Http2Stream {
    const state = this.#state;
    const stream = new Http2Stream(this.#owner, streamId, state.peer.initialWindowBytes, state.streamWindow);
    stream.isTunnel = head.protocol !== "" || head.method === "CONNECT";
    stream.protocol = head.protocol;
    stream.expectedLength = stream.isTunnel ? -1 : head.contentLength;
    stream.remoteEnded = endStream;
    state.streams.add(stream);
    state.active++;
    return stream;
  }

  /** A request whose header section is over the limit: no handler sees it (RFC 9113 §10.5.1). */
  #answerTooLarge(streamId: number, endStream: boolean): void {
    const state = this.#state;
    const { writer, encoder } = state.sender;
    const at = writer.header(0, FrameType.HEADERS, 0, streamId);
    encoder.begin(writer);
    encoder.field(writer, ":status", "431", false);
    encoder.field(writer, "date", httpDate(state.nowMs()), false);
    writer.finishHeaders(at, streamId, true);
    if (!endStream) writer.rstStream(streamId, StreamErrorCode.NO_ERROR);
    state.sender.schedule();
    state.streams.close(streamId, endStream ? PastStream.ENDED : PastStream.RESET_BY_US);
    state.handler.onStreamError(this.#tooLarge());
    state.spend(state.resets, "requests with too large headers");
  }

  /** A request beyond our limit, which the client may retry, or after our last GOAWAY, which it knows to be lost. */
  #onRefused(streamId: number): void {
    const state = this.#state;
    state.streams.close(streamId, PastStream.RESET_BY_US);
    if (streamId > state.lastTakenId) return;
    state.sender.writer.rstStream(streamId, StreamErrorCode.REFUSED_STREAM);
    state.sender.schedule();
    state.spend(state.resets, "streams beyond the limit");
  }

  #onResponse(stream: Http2Stream, endStream: boolean, reader: MessageReader): void {
    const state = this.#state;
    const head = reader.response;
    const { status } = head;
    if (status < 200) {
      if (endStream)
        return state.streamError(stream, malformedMessage("RFC 9113 §8.1", "a 1xx response ends the stream"));
      if (++stream.informationalCount > state.limits.maxInformational) {
        return state.streamError(stream, malformedMessage("RFC 9110 §15.2", "too many 1xx responses"));
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
      if (!lengthMatches(stream)) return state.streamError(stream, WRONG_LENGTH);
      stream.remoteEnded = true;
    }
    stream.handler?.onResponse?.(head, endStream);
    if (stream.remoteEnded && stream.localEnded) state.finishStream(stream);
  }

  #onTrailers(stream: Http2Stream, endStream: boolean, reader: MessageReader): void {
    const state = this.#state;
    if (!endStream)
      return state.streamError(stream, malformedMessage("RFC 9113 §8.1", "trailers do not end the stream"));
    if (stream.isTunnel) return state.streamError(stream, malformedMessage("RFC 9113 §8.5", "trailers in a tunnel"));
    if (!lengthMatches(stream)) return state.streamError(stream, WRONG_LENGTH);
    stream.remoteEnded = true;
    stream.handler?.onTrailers(reader.trailers);
    if (stream.localEnded) state.finishStream(stream);
  }

  #dataProblem(stream: Http2Stream, length: number, content: number): Http2Error | undefined {
    if (stream.remoteEnded) return AFTER_END;
    if (this.#state.role === "client" && !stream.responseStarted) {
      return malformedMessage("RFC 9113 §8.1", "DATA before HEADERS");
    }
    // Of a window that was made smaller less than nothing may be left; a frame without content may always come (§6.9.1).
    if (length > Math.max(0, stream.receiveWindow)) return windowExceeded("stream");
    if (stream.expectedLength >= 0 && stream.receivedLength + content > stream.expectedLength) return WRONG_LENGTH;
    return undefined;
  }

  #tooLarge(): Http2Error {
    const { maxHeaderListBytes, maxHeaderFields } = this.#state.limits;
    return new Http2Error(HTTP2_HEADERS_TOO_LARGE, StreamErrorCode.ENHANCE_YOUR_CALM, {
      section: "RFC 9113 §10.5.1",
      message: `a header section of more than ${maxHeaderListBytes} bytes or ${maxHeaderFields} fields`,
    });
  }
}

function lengthMatches(stream: Http2Stream): boolean {
  return stream.expectedLength < 0 || stream.expectedLength === stream.receivedLength;
}

function windowExceeded(of: "stream" | "connection"): Http2Error {
  return new Http2Error(HTTP2_FLOW_CONTROL_ERROR, StreamErrorCode.FLOW_CONTROL_ERROR, {
    section: "RFC 9113 §6.9.1",
    message: `DATA beyond the window of the ${of}`,
  });
}

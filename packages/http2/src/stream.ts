// One HTTP/2 stream (RFC 9113 §5): the state that sender and receiver share, and the contract that the engine sees.
// Streams of both roles are one class, so that the code that handles them stays monomorphic.

import type {
  ClientStream,
  ClientStreamHandler,
  HeaderList,
  RequestHead,
  ResponseHead,
  ServerStream,
  ServerStreamHandler,
} from "@ripstop/http";

/** What a stream asks its connection to do. */
export interface StreamOwner {
  sendRequest(stream: Http2Stream, head: RequestHead, end: boolean): void;
  sendResponse(stream: Http2Stream, head: ResponseHead, end: boolean): void;
  sendInformational(stream: Http2Stream, head: ResponseHead): void;
  sendBody(stream: Http2Stream, buf: Buffer, start: number, end: number): boolean;
  sendTrailers(stream: Http2Stream, trailers: HeaderList): void;
  sendEnd(stream: Http2Stream): void;
  resetStream(stream: Http2Stream, code: number): void;
  consumed(stream: Http2Stream, count: number): void;
}

/** What is to follow the queued body bytes. */
export const Ending = { NONE: 0, END: 1, TRAILERS: 2 } as const;
/** A value of Ending. */
export type EndingValue = (typeof Ending)[keyof typeof Ending];

/** Either side's handler; `onResponse` and `onInformational` are only called on client streams. */
export type AnyStreamHandler = ServerStreamHandler & Partial<ClientStreamHandler>;

/** Longer ago than any clock tells, and still a small integer. */
const NEVER_MS = -(2 ** 30);

const NO_QUEUE: Buffer = Buffer.alloc(0);

/** See the file comment. Fields are for the connection and its parts; the engine sees ServerStream or ClientStream. */
export class Http2Stream implements ServerStream, ClientStream {
  readonly #owner: StreamOwner;
  /** 0 until a client stream has sent its request. */
  id: number;
  handler: AnyStreamHandler | undefined;

  /** Nothing more happens on this stream. */
  closed = false;
  /** END_STREAM was sent. */
  localEnded = false;
  /** END_STREAM was received. */
  remoteEnded = false;
  /** The head of our message was sent (for a server: the final response). */
  headSent = false;
  /** Client: the final response head was received. */
  responseStarted = false;
  informationalCount = 0;
  /** A request by HEAD: its response has no body. */
  isHead = false;
  /** A CONNECT, plain or extended: the body is a tunnel. */
  isTunnel = false;
  /** :protocol of an extended CONNECT, or "". */
  protocol = "";

  /** Bytes that we may send, and that the peer may send; both can be negative (RFC 9113 §6.9.2). */
  sendWindow: number;
  receiveWindow: number;
  /** Bytes handed to the handler that it has not consumed. */
  unconsumed = 0;
  /** Bytes consumed and not yet granted again. */
  toGrant = 0;
  /** Bytes by which the window has grown, and when half of it was used up last; see WindowTuner. */
  extraWindow = 0;
  halfWindowMs: number = NEVER_MS;
  /** Declared content-length of the incoming message, or -1, and what has come. */
  expectedLength = -1;
  receivedLength = 0;

  /** Body bytes that could not leave yet: queue[queueStart, queueEnd), memory of the pool. */
  queue: Buffer = NO_QUEUE;
  queueStart = 0;
  queueEnd = 0;
  ending: EndingValue = Ending.NONE;
  trailers: HeaderList | undefined = undefined;
  /** `sendBody` returned false. */
  wantsWritable = false;

  /** Links and membership of the list of streams that can send; see Sender. */
  nextReady: Http2Stream | undefined = undefined;
  previousReady: Http2Stream | undefined = undefined;
  isReady = false;
  /** RFC 9218 urgency, 0 most urgent … 7. */
  urgency = 3;
  /** Position and epoch of the last frame composed, so that END_STREAM can still be put on it. */
  lastFrameAt = 0;
  lastFrameEpoch = -1;

  constructor(owner: StreamOwner, id: number, sendWindow: number, receiveWindow: number) {
    this.#owner = owner;
    this.id = id;
    this.handler = undefined;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** Bytes queued. */
  get queuedBytes(): number {
    return this.queueEnd - this.queueStart;
  }

  sendRequest(head: RequestHead, end: boolean): void {
    this.#owner.sendRequest(this, head, end);
  }

  sendResponse(head: ResponseHead, end: boolean): void {
    this.#owner.sendResponse(this, head, end);
  }

  sendInformational(head: ResponseHead): void {
    this.#owner.sendInformational(this, head);
  }

  sendBody(buf: Buffer, start: number, end: number): boolean {
    return this.#owner.sendBody(this, buf, start, end);
  }

  sendTrailers(trailers: HeaderList): void {
    this.#owner.sendTrailers(this, trailers);
  }

  sendEnd(): void {
    this.#owner.sendEnd(this);
  }

  reset(code: number): void {
    this.#owner.resetStream(this, code);
  }

  consumed(count: number): void {
    this.#owner.consumed(this, count);
  }
}

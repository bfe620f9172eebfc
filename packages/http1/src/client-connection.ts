// One upstream connection: sends a request, hears the response, and says whether it can be used again (RFC 9112 §9).

import type { ErrorKind } from "@ripstop/core";
import {
  RequestHead,
  StreamErrorCode,
  type ClientStream,
  type ClientStreamHandler,
  type HeaderList,
  type ResponseHead,
} from "@ripstop/http";
import { http1Errors } from "./errors.ts";
import { encodeRequestHead, HeadFlag } from "./head-encoder.ts";
import { HeldBytes } from "./held-bytes.ts";
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "./limits.ts";
import {
  beginReceive,
  callbackEndScheduler,
  endReceive,
  MessageSender,
  SendFraming,
  type FlushScheduler,
  type Http1Output,
} from "./message-sender.ts";
import { ReadGate } from "./read-gate.ts";
import { Http1ResponseDecoder, type Http1ResponseSink } from "./response-decoder.ts";
import { makeWebsocketKey, websocketAccept } from "./websocket-key.ts";

/** What the owner (a pool) of a client connection hears. */
export interface Http1ClientHandler {
  /** The exchange is over and the connection can carry another. */
  onIdle(): void;
  /** The connection will carry no further exchange and was closed, or closes by itself. Called exactly once. */
  onUnusable(): void;
  /** The upstream broke the protocol; the connection is closed. */
  onError(error: ErrorKind): void;
}

/** Parts of a client connection. */
export interface Http1ClientOptions {
  readonly output: Http1Output;
  readonly handler: Http1ClientHandler;
  readonly limits?: Http1Limits;
  /** Default: at the end of the running callback. */
  readonly scheduler?: FlushScheduler;
  /** Write request targets in absolute form, for a forward proxy as upstream. */
  readonly absoluteForm?: boolean;
}

const Request = { NONE: 0, STARTED: 1, DONE: 2 } as const;

/** Tunnel bytes kept until the upstream has accepted the tunnel; more than this resets the exchange. */
const MAX_EARLY_TUNNEL_BYTES = 256 * 1024;

/** Whether requests with `method` have content so usually that its absence is declared (RFC 9110 §8.6). */
function hasUsuallyContent(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}

/**
 * Feed it with what the transport says. One exchange at a time; the end of the response ends it: when the request
 * was not complete by then the connection closes, and what is sent afterwards goes nowhere.
 */
export class Http1ClientConnection implements Http1ResponseSink {
  readonly #output: Http1Output;
  readonly #owner: Http1ClientHandler;
  readonly #limits: Http1Limits;
  readonly #decoder: Http1ResponseDecoder;
  readonly #sender: MessageSender;
  readonly #gate: ReadGate;
  readonly #earlyTunnelBytes: HeldBytes = new HeldBytes(MAX_EARLY_TUNNEL_BYTES);
  readonly #baseFlags: number;
  #exchange: ClientExchange | undefined = undefined;
  #handler: ClientStreamHandler | undefined = undefined;
  #exchanges = 0;
  #request: number = Request.NONE;
  #isResponseStarted = false;
  #isResponseDone = false;
  #isDecoding = false;
  /** The request asked for a tunnel, which the upstream has not yet accepted. */
  #awaitsTunnel = false;
  #endsEarly = false;
  #isTunnel = false;
  #tunnelReceived = false;
  #isUnusable = false;
  #isDead = false;
  #wantsWritable = false;
  /** The key that we made for a WebSocket client that has none (RFC 8441). */
  #ownWebsocketKey = "";

  constructor(options: Http1ClientOptions) {
    this.#output = options.output;
    this.#owner = options.handler;
    this.#limits = options.limits ?? DEFAULT_HTTP1_LIMITS;
    this.#decoder = new Http1ResponseDecoder(this, this.#limits);
    this.#sender = new MessageSender(options.output, options.scheduler ?? callbackEndScheduler);
    this.#gate = new ReadGate(options.output, this.#limits.maxUnconsumedBytes);
    this.#baseFlags = options.absoluteForm === true ? HeadFlag.ABSOLUTE_FORM : 0;
  }

  /** `open` would succeed. */
  get isIdle(): boolean {
    return this.#exchange === undefined && !this.#isUnusable && !this.#isDecoding;
  }

  /** The connection can carry further exchanges, now or after the current one. */
  get isReusable(): boolean {
    return !this.#isUnusable;
  }

  /** Exchanges opened so far, the current one included: above 1, a lost connection may be an old one gone stale. */
  get exchanges(): number {
    return this.#exchanges;
  }

  /** A byte of the current (or last) exchange's response has arrived. */
  get isResponseStarted(): boolean {
    return this.#isResponseStarted;
  }

  /** Begins an exchange. Undefined when one is open or the connection is unusable. */
  open(handler: ClientStreamHandler): ClientStream | undefined {
    if (!this.isIdle) return undefined;
    const exchange = new ClientExchange(this);
    this.#exchange = exchange;
    this.#handler = handler;
    this.#exchanges++;
    this.#request = Request.NONE;
    this.#isResponseStarted = false;
    this.#isResponseDone = false;
    return exchange;
  }

  /** Bytes arrived, valid during the call only. */
  receive(buf: Buffer, start: number, end: number): void {
    if (this.#isDead || start === end) return;
    beginReceive();
    try {
      this.#receive(buf, start, end);
    } finally {
      endReceive();
    }
  }

  #receive(buf: Buffer, start: number, end: number): void {
    if (this.#isTunnel) {
      this.#deliver(buf, start, end);
      return;
    }
    if (this.#exchange === undefined || this.#request === Request.NONE) {
      this.#protocolError(http1Errors.unexpectedBytes);
      return;
    }
    this.#isResponseStarted = true;
    this.#isDecoding = true;
    const pos = this.#decoder.decode(buf, start, end);
    this.#isDecoding = false;
    if (this.#isDead) return;
    if (this.#isTunnel) {
      if (pos < end) this.#deliver(buf, pos, end);
      return;
    }
    if (!this.#isResponseDone) return;
    if (pos < end) {
      // The response was whole and was passed on; what follows it must never meet another request.
      this.#owner.onError(http1Errors.unexpectedBytes);
      this.#close();
      return;
    }
    this.#finish();
  }

  /** The upstream sent FIN: the end of a response without length, of one side of a tunnel, or of the connection. */
  receivedEnd(): void {
    if (this.#isDead) return;
    if (this.#isTunnel) {
      if (this.#tunnelReceived) return;
      this.#tunnelReceived = true;
      this.#handler?.onEnd();
      this.#finishTunnel();
      return;
    }
    if (this.#exchange !== undefined && this.#request !== Request.NONE && this.#isResponseStarted) {
      this.#isDecoding = true;
      this.#decoder.finish();
      this.#isDecoding = false;
      if (this.#isDead) return;
    }
    this.#lose("the upstream closed the connection");
    this.#output.end();
  }

  /** The output takes bytes again after a write that returned false. */
  writable(): void {
    this.#sender.unblock();
    if (!this.#wantsWritable) return;
    this.#wantsWritable = false;
    this.#handler?.onWritable();
  }

  /** The transport is gone; `cause` in plain words. */
  closed(cause: string): void {
    if (!this.#isDead) this.#lose(cause);
  }

  /** Takes no further exchange; closes when the current one is over, at once when there is none. */
  shutdown(): void {
    if (this.#exchange === undefined) {
      this.#close();
      return;
    }
    this.#becomeUnusable();
  }

  // Decoder events.

  /** For the decoder. */
  onInformational(head: ResponseHead): void {
    this.#handler?.onInformational(head);
  }

  /** For the decoder. */
  onResponse(head: ResponseHead, end: boolean): void {
    if (!this.#decoder.keepAlive) this.#becomeUnusable();
    if (this.#decoder.isTunnel) {
      this.#openTunnel(head);
      return;
    }
    if (this.#awaitsTunnel) {
      this.#awaitsTunnel = false;
      this.#request = Request.DONE;
      this.#earlyTunnelBytes.clear();
    }
    this.#isResponseDone = end;
    this.#handler?.onResponse(head, end);
  }

  /** For the decoder. */
  onBody(buf: Buffer, start: number, end: number): void {
    this.#deliver(buf, start, end);
  }

  /** For the decoder. */
  onTrailers(trailers: HeaderList): void {
    this.#isResponseDone = true;
    this.#handler?.onTrailers(trailers);
  }

  /** For the decoder. */
  onEnd(): void {
    this.#isResponseDone = true;
    this.#handler?.onEnd();
  }

  /** For the decoder. */
  onError(error: ErrorKind): void {
    this.#protocolError(error);
  }

  // Stream operations, called by the exchange while it is the current one.

  /** For the exchange. */
  sendRequest(head: RequestHead, end: boolean): void {
    if (this.#request !== Request.NONE) return;
    this.#ownWebsocketKey = "";
    const isUpgrade = head.protocol !== "" && head.method !== "CONNECT";
    const isTunnelRequest = isUpgrade || head.method === "CONNECT";
    let framing: number = SendFraming.NONE;
    let flags = this.#baseFlags;
    if (isTunnelRequest) {
      if (isUpgrade) flags |= HeadFlag.UPGRADE;
    } else if (end || head.contentLength >= 0) {
      if (head.contentLength >= 0 || hasUsuallyContent(head.method)) flags |= HeadFlag.LENGTH;
      framing = SendFraming.LENGTH;
    } else {
      flags |= HeadFlag.CHUNKED;
      framing = SendFraming.CHUNKED;
    }
    if (!encodeRequestHead(this.#sender.writer(), this.#withWebsocketKey(head), flags)) {
      this.#protocolError(http1Errors.headNotWritable);
      return;
    }
    this.#request = Request.STARTED;
    this.#awaitsTunnel = isTunnelRequest;
    this.#endsEarly = false;
    this.#decoder.expect(head.method, isUpgrade ? head.protocol : "");
    this.#sender.beginBody(framing, Math.max(0, head.contentLength));
    if (isTunnelRequest) this.#sender.writeGathered();
    else if (end) this.sendEnd(undefined);
  }

  /** For the exchange. */
  sendBody(buf: Buffer, start: number, end: number): boolean {
    if (this.#request !== Request.STARTED) return true;
    if (this.#awaitsTunnel) {
      // Nothing may reach the upstream behind an upgrade that it may refuse: it would be read as a request.
      if (!this.#earlyTunnelBytes.append(buf, start, end)) {
        this.#fail(
          StreamErrorCode.ENHANCE_YOUR_CALM,
          "too many bytes were sent before the upstream accepted the tunnel",
        );
      }
      this.#wantsWritable = true;
      return false;
    }
    const isFlowing = this.#sender.body(buf, start, end);
    if (!isFlowing) this.#wantsWritable = true;
    return isFlowing;
  }

  /** For the exchange. */
  sendEnd(trailers: HeaderList | undefined): void {
    if (this.#request !== Request.STARTED) return;
    if (this.#awaitsTunnel) {
      this.#endsEarly = true;
      return;
    }
    this.#request = Request.DONE;
    const isSatisfied = this.#sender.endBody(trailers);
    if (this.#isTunnel) {
      this.#output.end();
      this.#finishTunnel();
    } else if (!isSatisfied) {
      this.#fail(StreamErrorCode.INTERNAL_ERROR, "the request body was shorter than declared");
    }
  }

  /** For the exchange. */
  reset(): void {
    this.#handler = undefined;
    this.#close();
  }

  /** For the exchange. */
  consumed(count: number): void {
    this.#gate.consumed(count);
  }

  // Inside.

  #deliver(buf: Buffer, start: number, end: number): void {
    this.#gate.received(end - start);
    this.#handler?.onBody(buf, start, end);
  }

  #withWebsocketKey(head: RequestHead): RequestHead {
    if (head.protocol !== "websocket" || head.headers.indexOf("sec-websocket-key", 0) >= 0) return head;
    this.#ownWebsocketKey = makeWebsocketKey();
    const copy = new RequestHead();
    copy.copyFrom(head);
    copy.headers.append("sec-websocket-key", this.#ownWebsocketKey);
    return copy;
  }

  #openTunnel(head: ResponseHead): void {
    if (this.#ownWebsocketKey !== "") {
      if (head.headers.get("sec-websocket-accept") !== websocketAccept(this.#ownWebsocketKey)) {
        this.#protocolError(http1Errors.unexpectedUpgrade);
        return;
      }
      head.headers.remove("sec-websocket-accept");
    }
    this.#isTunnel = true;
    this.#awaitsTunnel = false;
    this.#becomeUnusable();
    this.#sender.beginBody(SendFraming.RAW, 0);
    const early = this.#earlyTunnelBytes.take();
    const endsEarly = this.#endsEarly;
    if (early !== undefined) this.#sender.body(early, 0, early.length);
    this.#handler?.onResponse(head, false);
    if (this.#isDead) return;
    if (endsEarly) this.sendEnd(undefined);
    else if (!this.#sender.isBlocked) this.writable();
  }

  #finishTunnel(): void {
    if (!this.#tunnelReceived || this.#request !== Request.DONE) return;
    this.#detach();
    this.#die();
  }

  /** The response is complete. */
  #finish(): void {
    const isRequestDone = this.#request === Request.DONE || this.#sender.hasSentDeclared;
    this.#detach();
    this.#gate.reset();
    if (this.#isUnusable || !isRequestDone) this.#close();
    else this.#owner.onIdle();
  }

  #protocolError(error: ErrorKind): void {
    this.#owner.onError(error);
    this.#fail(StreamErrorCode.PROTOCOL_ERROR, `${error.title} (${error.code})`);
  }

  /** Ends everything by our decision. */
  #fail(code: number, cause: string): void {
    const handler = this.#handler;
    this.#close();
    handler?.onReset(code, cause);
  }

  /** The connection is gone or useless; a response that was complete stays good. */
  #lose(cause: string): void {
    const handler = this.#isResponseDone ? undefined : this.#handler;
    // Nothing was handed to the transport: the upstream cannot have seen the request.
    const wasSent = this.#request !== Request.NONE;
    this.#detach();
    this.#die();
    handler?.onReset(wasSent ? StreamErrorCode.CANCEL : StreamErrorCode.REFUSED_STREAM, cause);
  }

  #close(): void {
    if (this.#isDead) return;
    this.#detach();
    this.#die();
    this.#sender.cut();
  }

  #detach(): void {
    this.#exchange?.detach();
    this.#exchange = undefined;
    this.#handler = undefined;
    this.#wantsWritable = false;
  }

  #die(): void {
    this.#isDead = true;
    this.#decoder.stop();
    this.#earlyTunnelBytes.clear();
    this.#sender.close();
    this.#becomeUnusable();
  }

  #becomeUnusable(): void {
    if (this.#isUnusable) return;
    this.#isUnusable = true;
    this.#owner.onUnusable();
  }
}

/** The stream of one exchange. It outlives the exchange in careless hands, and then does nothing. */
class ClientExchange implements ClientStream {
  #connection: Http1ClientConnection | undefined;

  constructor(connection: Http1ClientConnection) {
    this.#connection = connection;
  }

  detach(): void {
    this.#connection = undefined;
  }

  sendRequest(head: RequestHead, end: boolean): void {
    this.#connection?.sendRequest(head, end);
  }

  sendBody(buf: Buffer, start: number, end: number): boolean {
    return this.#connection?.sendBody(buf, start, end) ?? true;
  }

  sendTrailers(trailers: HeaderList): void {
    this.#connection?.sendEnd(trailers);
  }

  sendEnd(): void {
    this.#connection?.sendEnd(undefined);
  }

  reset(_code: number): void {
    this.#connection?.reset();
  }

  consumed(count: number): void {
    this.#connection?.consumed(count);
  }
}

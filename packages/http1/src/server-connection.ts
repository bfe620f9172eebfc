// One downstream connection: decoder and sender joined into a sequence of exchanges (RFC 9112 §9).

import type { Clock, ErrorKind } from "@ripstop/core";
import {
  httpDate,
  ResponseHead,
  StreamErrorCode,
  UNKNOWN_LENGTH,
  type HeaderList,
  type RequestHead,
  type ServerStream,
  type ServerStreamHandler,
} from "@ripstop/http";
import { http1Errors } from "./errors.ts";
import { encodeResponseHead, HeadFlag } from "./head-encoder.ts";
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
import { Http1RequestDecoder, type Http1RequestSink } from "./request-decoder.ts";
import { websocketAccept } from "./websocket-key.ts";

/** What the owner of a server connection hears. */
export interface Http1ServerHandler {
  /**
   * A request. The head is valid only during the call. For CONNECT and upgrades `end` is false: bodies follow in both
   * directions once `sendResponse` accepts. Returns who hears the rest of the exchange.
   */
  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler;
  /** The last exchange is over and nothing of a next one has arrived: the keep-alive timer may start. */
  onIdle(): void;
  /** The client broke the protocol. It was answered where that was possible; the connection closes. */
  onError(error: ErrorKind): void;
  /**
   * Our last byte and the FIN are written or queued; the client should close now. Destroy the connection a second or two
   * after nothing is queued and the client sends no more, and at the latest after half a minute of the latter.
   */
  onLinger(): void;
  /**
   * The request `head`, complete and valid only during the call, asks to go on in HTTP/2 (RFC 7540 §3.2), and 101 was
   * written. `settings` is its decoded HTTP2-Settings. This connection is over without a word more; the transport is the
   * owner's, and what the client sent already goes to the result. Only with the option `http2Upgrades`.
   */
  onUpgradeToHttp2?(head: RequestHead, settings: Buffer): Http1Successor;
}

/** Takes the bytes of a connection that speaks another protocol now. */
export interface Http1Successor {
  onBytes(buf: Buffer, start: number, end: number): void;
}

/** Parts of a server connection. */
export interface Http1ServerOptions {
  readonly output: Http1Output;
  readonly handler: Http1ServerHandler;
  readonly limits?: Http1Limits;
  /** For Date in the answers that the connection makes itself; without it they have none. */
  readonly clock?: Clock;
  /** Default: at the end of the running callback. */
  readonly scheduler?: FlushScheduler;
  /** Whether `onUpgradeToHttp2` is called, which must be there then. Default: such a request is answered in HTTP/1.1. */
  readonly http2Upgrades?: boolean;
}

/** One setting in a SETTINGS frame (RFC 9113 §6.5.1). */
const SETTING_BYTES = 6;

const Response = { NONE: 0, STARTED: 1, DONE: 2 } as const;

/**
 * Feed it with what the transport says; it calls the handler. Exchanges come one at a time: a pipelined request is
 * kept as bytes until the response before it has ended. The end of the response ends the exchange: a request body
 * that is still arriving is then thrown away, or the connection closes.
 */
export class Http1ServerConnection implements Http1RequestSink {
  readonly #output: Http1Output;
  readonly #owner: Http1ServerHandler;
  readonly #limits: Http1Limits;
  readonly #clock: Clock | undefined;
  readonly #http2Upgrades: boolean;
  readonly #decoder: Http1RequestDecoder;
  readonly #sender: MessageSender;
  readonly #gate: ReadGate;
  readonly #held: HeldBytes;
  #exchange: ServerExchange | undefined = undefined;
  #handler: ServerStreamHandler | undefined = undefined;
  /** An exchange is open, whether or not its stream and handler are still attached. */
  #isOpen = false;
  #isRequestDone = false;
  #response: number = Response.NONE;
  #isDecoding = false;
  #isTunnel = false;
  #tunnelSent = false;
  #tunnelReceived = false;
  #isLingering = false;
  #isDead = false;
  #isShutdown = false;
  #isRetired = false;
  #keepAlive = false;
  #wantsWritable = false;
  /** An exchange took place since `onIdle` was last called. */
  #wasBusy = false;
  #discardedBytes = 0;
  // Of the request in hand; the engine may have changed the head itself.
  #method = "";
  #version = 11;
  #protocol = "";
  #websocketKey = "";
  #awaitsContinue = false;
  #successor: Http1Successor | undefined = undefined;

  constructor(options: Http1ServerOptions) {
    this.#output = options.output;
    this.#owner = options.handler;
    this.#limits = options.limits ?? DEFAULT_HTTP1_LIMITS;
    this.#clock = options.clock;
    this.#http2Upgrades = options.http2Upgrades === true;
    this.#decoder = new Http1RequestDecoder(this, this.#limits);
    this.#sender = new MessageSender(options.output, options.scheduler ?? callbackEndScheduler);
    this.#gate = new ReadGate(options.output, this.#limits.maxUnconsumedBytes);
    this.#held = new HeldBytes(this.#limits.maxPipelinedBytes);
  }

  /** No exchange is open and no byte of a next one has arrived. */
  get isIdle(): boolean {
    return !this.#isOpen && !this.#isLingering && !this.#isDead && !this.#decoder.isInHead;
  }

  /** Part of a request head has arrived: the header timer should run. */
  get isReceivingHead(): boolean {
    return !this.#isOpen && this.#decoder.isInHead;
  }

  /** The request in hand has not arrived completely. */
  get isReceivingBody(): boolean {
    return this.#isOpen && !this.#isRequestDone;
  }

  /**
   * The client owes the rest of a request body: nothing was answered, it may send, and it is not held back. The body
   * timer should run.
   */
  get isOwedBody(): boolean {
    if (!this.isReceivingBody || this.#response === Response.STARTED || this.#awaitsContinue) return false;
    return this.#protocol === "" && this.#method !== "CONNECT" && !this.#gate.isPaused;
  }

  /** The connection is a tunnel now (101, or 2xx to CONNECT). */
  get isTunnel(): boolean {
    return this.#isTunnel;
  }

  /** Bytes arrived, valid during the call only. */
  receive(buf: Buffer, start: number, end: number): void {
    if (this.#isDead) return;
    if (this.#isLingering) {
      this.#discard(end - start);
      return;
    }
    if (!this.#held.isEmpty || (this.#isOpen && this.#isRequestDone && !this.#isTunnel)) {
      this.#hold(buf, start, end);
      return;
    }
    beginReceive();
    try {
      this.#process(buf, start, end);
    } finally {
      endReceive();
    }
  }

  /** The client sent FIN. In an exchange that means it no longer wants the answer; a tunnel is half closed. */
  receivedEnd(): void {
    if (this.#isDead || this.#isLingering) return;
    if (this.#isTunnel) {
      this.#tunnelReceived = true;
      this.#handler?.onEnd();
      this.#finishTunnel();
      return;
    }
    if (this.#isOpen && this.#response !== Response.DONE) {
      this.#abort(StreamErrorCode.CANCEL, "the client closed the connection before the exchange was complete");
      return;
    }
    if (this.#decoder.isInHead) this.#owner.onError(http1Errors.truncated);
    this.#die();
    this.#output.end();
  }

  /** The output takes bytes again after a write that returned false. */
  writable(): void {
    this.#sender.unblock();
    if (this.#wantsWritable) {
      this.#wantsWritable = false;
      this.#handler?.onWritable();
    } else if (!this.#isOpen && !this.#held.isEmpty) {
      this.#releaseHeld();
    }
  }

  /** The transport is gone; `cause` in plain words. */
  closed(cause: string): void {
    if (this.#isDead) return;
    const handler = this.#handler;
    this.#die();
    handler?.onReset(StreamErrorCode.CANCEL, cause);
  }

  /**
   * Closes after the next response, which says so; a client that asks nothing keeps its connection. Unlike `shutdown` it
   * never closes while a request may be on its way (RFC 9112 §9.5).
   */
  retire(): void {
    this.#isRetired = true;
  }

  /** Closes after the current exchange, whose response says so; at once when there is none. */
  shutdown(): void {
    this.#isShutdown = true;
    if (this.isIdle) this.#linger();
  }

  /**
   * Refuses what is arriving: answers with the status of `error` when no response has begun, and closes. For the
   * engine's own deadlines (`http1Errors.requestTimeout`).
   */
  refuse(error: ErrorKind): void {
    if (this.#isDead || this.#isLingering) return;
    const handler = this.#handler;
    const canAnswer = this.#response === Response.NONE && !this.#isTunnel;
    this.#detach();
    this.#decoder.stop();
    if (canAnswer) {
      this.#sendRefusal(error);
      this.#linger();
    } else if (this.#response === Response.DONE) {
      this.#linger();
    } else {
      this.#die();
      this.#sender.cut();
    }
    handler?.onReset(StreamErrorCode.PROTOCOL_ERROR, `${error.title} (${error.code})`);
  }

  // Decoder events.

  /** For the decoder. */
  onRequest(head: RequestHead, end: boolean): void {
    if (this.#http2Upgrades && this.#decoder.http2Settings !== "" && this.#upgradeToHttp2(head)) return;
    this.#isOpen = true;
    this.#wasBusy = true;
    this.#isRequestDone = end;
    this.#response = Response.NONE;
    this.#method = head.method;
    this.#version = head.version;
    this.#protocol = head.protocol;
    this.#websocketKey = head.protocol === "websocket" ? (head.headers.get("sec-websocket-key") ?? "") : "";
    this.#awaitsContinue = head.expectsContinue;
    this.#keepAlive = this.#decoder.keepAlive;
    this.#discardedBytes = 0;
    const exchange = new ServerExchange(this);
    this.#exchange = exchange;
    const mayTunnel = head.protocol !== "" || head.method === "CONNECT";
    const handler = this.#owner.onRequest(exchange, head, end && !mayTunnel);
    if (this.#exchange === exchange) this.#handler = handler;
  }

  /** For the decoder. */
  onBody(buf: Buffer, start: number, end: number): void {
    if (this.#handler === undefined) {
      this.#discard(end - start);
      return;
    }
    this.#gate.received(end - start);
    this.#handler.onBody(buf, start, end);
  }

  /** For the decoder. */
  onTrailers(trailers: HeaderList): void {
    this.#isRequestDone = true;
    this.#handler?.onTrailers(trailers);
    this.#finishIfDone();
  }

  /** For the decoder. */
  onEnd(): void {
    this.#isRequestDone = true;
    this.#handler?.onEnd();
    this.#finishIfDone();
  }

  /** For the decoder. */
  onError(error: ErrorKind): void {
    this.#owner.onError(error);
    this.refuse(error);
  }

  // Stream operations, called by the exchange while it is the current one.

  /** For the exchange. */
  sendInformational(head: ResponseHead): void {
    if (this.#response !== Response.NONE || this.#version === 10) return;
    if (head.status < 100 || head.status > 199 || head.status === 101) return;
    if (head.status === 100) this.#awaitsContinue = false;
    encodeResponseHead(this.#sender.writer(), head, 0);
  }

  /** For the exchange. */
  sendResponse(head: ResponseHead, end: boolean): void {
    if (this.#response !== Response.NONE) return;
    const status = head.status;
    if (status < 200 && (status !== 101 || this.#protocol === "")) {
      this.#refuseHead();
      return;
    }
    const isSuccess = status >= 200 && status < 300;
    if (this.#protocol !== "" && (status === 101 || (isSuccess && head.protocol !== ""))) {
      this.#openUpgrade(head);
      // An HTTP/2 upstream may accept and end its half in one frame.
      if (end) this.sendEnd(undefined);
      return;
    }
    if (this.#method === "CONNECT" && isSuccess) {
      this.#openTunnel(head, 0);
      if (end) this.sendEnd(undefined);
      return;
    }
    const isRefusedTunnel = this.#protocol !== "" || this.#method === "CONNECT";
    const hasNoBody = this.#method === "HEAD" || status === 204 || status === 304;
    let framing: number = SendFraming.LENGTH;
    let flags = 0;
    if (hasNoBody) {
      framing = SendFraming.NONE;
      if (head.contentLength >= 0 && status !== 204) flags = HeadFlag.LENGTH;
    } else if (end || head.contentLength >= 0) {
      flags = HeadFlag.LENGTH;
    } else if (this.#version === 11) {
      framing = SendFraming.CHUNKED;
      flags = HeadFlag.CHUNKED;
    } else {
      framing = SendFraming.RAW;
      this.#keepAlive = false;
    }
    // A client that waits for 100 may send its body now or never (RFC 9110 §10.1.1): the next bytes mean nothing.
    if (this.#isShutdown || this.#isRetired || isRefusedTunnel || (this.#awaitsContinue && !this.#isRequestDone))
      this.#keepAlive = false;
    if (!this.#keepAlive) flags |= HeadFlag.CLOSE;
    else if (this.#version === 10) flags |= HeadFlag.KEEP_ALIVE;
    if (!encodeResponseHead(this.#sender.writer(), head, flags)) {
      this.#refuseHead();
      return;
    }
    this.#response = Response.STARTED;
    this.#sender.beginBody(framing, Math.max(0, head.contentLength));
    if (end) this.sendEnd(undefined);
  }

  /** For the exchange. */
  sendBody(buf: Buffer, start: number, end: number): boolean {
    if (this.#response !== Response.STARTED || this.#tunnelSent) return true;
    const isFlowing = this.#sender.body(buf, start, end);
    if (!isFlowing) this.#wantsWritable = true;
    return isFlowing;
  }

  /** For the exchange. */
  sendEnd(trailers: HeaderList | undefined): void {
    if (this.#response !== Response.STARTED) return;
    if (this.#isTunnel) {
      if (this.#tunnelSent) return;
      this.#tunnelSent = true;
      this.#sender.endBody(undefined);
      this.#output.end();
      this.#finishTunnel();
      return;
    }
    this.#response = Response.DONE;
    if (!this.#sender.endBody(trailers)) {
      // Fewer bytes than declared: only the end of the connection tells the client.
      this.#detach();
      this.#die();
      this.#sender.cut();
      return;
    }
    this.#detach();
    this.#finishIfDone();
  }

  /** For the exchange. */
  reset(): void {
    this.#detach();
    this.#die();
    this.#sender.cut();
  }

  /** For the exchange. */
  consumed(count: number): void {
    this.#gate.consumed(count);
  }

  // Inside.

  #process(buf: Buffer, start: number, end: number): void {
    let pos = start;
    this.#isDecoding = true;
    while (pos < end && !this.#isDead) {
      if (this.#isLingering) {
        this.#discard(end - pos);
        break;
      }
      if (this.#isTunnel) {
        this.onBody(buf, pos, end);
        break;
      }
      // A client that does not read its responses gets no more of them.
      if (this.#isOpen ? this.#isRequestDone : this.#sender.isBlocked) {
        this.#hold(buf, pos, end);
        break;
      }
      pos = this.#decoder.decode(buf, pos, end);
    }
    this.#isDecoding = false;
    if (this.#successor !== undefined && pos < end) this.#successor.onBytes(buf, pos, end);
    this.#announceIdle();
  }

  #announceIdle(): void {
    if (!this.#wasBusy || !this.isIdle) return;
    this.#wasBusy = false;
    this.#owner.onIdle();
  }

  #hold(buf: Buffer, start: number, end: number): void {
    if (!this.#held.append(buf, start, end)) {
      this.#abort(StreamErrorCode.ENHANCE_YOUR_CALM, "the client pipelined more requests than are kept");
      return;
    }
    this.#gate.hold(true);
  }

  #releaseHeld(): void {
    if (this.#isDecoding) return;
    const held = this.#held.take();
    if (held !== undefined) this.#process(held, 0, held.length);
    if (this.#held.isEmpty) this.#gate.hold(false);
    this.#announceIdle();
  }

  /** True when the client goes on in HTTP/2. */
  #upgradeToHttp2(head: RequestHead): boolean {
    const settings = Buffer.from(this.#decoder.http2Settings, "base64url");
    if (settings.length % SETTING_BYTES !== 0 || this.#owner.onUpgradeToHttp2 === undefined) return false;
    if (this.#isShutdown || this.#isRetired) return false;
    const answer = upgradeAnswer;
    answer.clear();
    answer.status = 101;
    answer.protocol = "h2c";
    encodeResponseHead(this.#sender.writer(), answer, HeadFlag.UPGRADE);
    this.#sender.writeGathered();
    this.#die();
    this.#successor = this.#owner.onUpgradeToHttp2(head, settings);
    return true;
  }

  #openUpgrade(head: ResponseHead): void {
    const answer = upgradeAnswer;
    answer.copyFrom(head);
    answer.status = 101;
    answer.protocol = head.protocol === "" ? this.#protocol : head.protocol;
    answer.contentLength = UNKNOWN_LENGTH;
    if (this.#websocketKey !== "" && answer.headers.indexOf("sec-websocket-accept", 0) < 0) {
      answer.headers.append("sec-websocket-accept", websocketAccept(this.#websocketKey));
    }
    this.#openTunnel(answer, HeadFlag.UPGRADE);
  }

  #openTunnel(head: ResponseHead, flags: number): void {
    if (!encodeResponseHead(this.#sender.writer(), head, flags)) {
      this.#refuseHead();
      return;
    }
    this.#response = Response.STARTED;
    this.#isTunnel = true;
    this.#sender.beginBody(SendFraming.RAW, 0);
    this.#releaseHeld();
  }

  #finishTunnel(): void {
    if (!this.#tunnelSent || !this.#tunnelReceived) return;
    this.#detach();
    this.#die();
  }

  /** The response is complete: when the request is too, the next exchange may come; else its rest is thrown away. */
  #finishIfDone(): void {
    if (this.#isDead || this.#isLingering || this.#response !== Response.DONE) return;
    if (!this.#keepAlive) {
      this.#linger();
      return;
    }
    if (!this.#isRequestDone) {
      this.#gate.reset();
      if (this.#decoder.declaredRest > this.#limits.maxDrainBytes) this.#linger();
      return;
    }
    this.#isOpen = false;
    this.#response = Response.NONE;
    this.#gate.reset();
    if (this.#isShutdown) {
      this.#linger();
      return;
    }
    this.#decoder.next();
    this.#releaseHeld();
  }

  #discard(count: number): void {
    const { maxDrainBytes, maxLingerBytes } = this.#limits;
    this.#discardedBytes += count;
    if (this.#discardedBytes <= (this.#isLingering ? maxLingerBytes : maxDrainBytes)) return;
    if (!this.#isLingering && this.#response === Response.DONE) {
      this.#linger();
      return;
    }
    this.#die();
    this.#sender.cut();
  }

  /** The response that the engine wants to send cannot be one. */
  #refuseHead(): void {
    this.#owner.onError(http1Errors.headNotWritable);
    this.refuse(http1Errors.headNotWritable);
  }

  #sendRefusal(error: ErrorKind): void {
    const head = upgradeAnswer;
    const text = Buffer.from(`${error.code} ${error.title}.\n${error.cause}.\n`);
    head.clear();
    head.status = error.status;
    head.contentLength = text.length;
    if (this.#clock !== undefined) head.headers.append("date", httpDate(this.#clock.nowMs()));
    head.headers.append("content-type", "text/plain; charset=utf-8");
    head.headers.append("x-ripstop-error", error.code);
    encodeResponseHead(this.#sender.writer(), head, HeadFlag.LENGTH | HeadFlag.CLOSE);
    this.#sender.beginBody(this.#method === "HEAD" && this.#isOpen ? SendFraming.NONE : SendFraming.RAW, 0);
    this.#sender.body(text, 0, text.length);
    this.#sender.endBody(undefined);
  }

  /** Our side is over. What still arrives is thrown away so that no RST destroys the response on its way (§9.6). */
  #linger(): void {
    this.#isLingering = true;
    this.#isOpen = false;
    this.#discardedBytes = 0;
    this.#held.clear();
    this.#decoder.stop();
    this.#sender.writeGathered();
    this.#gate.reset();
    this.#gate.hold(false);
    this.#output.end();
    this.#owner.onLinger();
  }

  #abort(code: number, cause: string): void {
    const handler = this.#handler;
    this.#detach();
    this.#die();
    this.#sender.cut();
    handler?.onReset(code, cause);
  }

  /** From now on the exchange's stream does nothing and its handler hears nothing. */
  #detach(): void {
    this.#exchange?.detach();
    this.#exchange = undefined;
    this.#handler = undefined;
    this.#wantsWritable = false;
  }

  #die(): void {
    this.#detach();
    this.#isDead = true;
    this.#isOpen = false;
    this.#decoder.stop();
    this.#held.clear();
    this.#sender.close();
  }
}

const upgradeAnswer = new ResponseHead();

/** The stream of one exchange. It outlives the exchange in careless hands, and then does nothing. */
class ServerExchange implements ServerStream {
  #connection: Http1ServerConnection | undefined;

  constructor(connection: Http1ServerConnection) {
    this.#connection = connection;
  }

  detach(): void {
    this.#connection = undefined;
  }

  sendInformational(head: ResponseHead): void {
    this.#connection?.sendInformational(head);
  }

  sendResponse(head: ResponseHead, end: boolean): void {
    this.#connection?.sendResponse(head, end);
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

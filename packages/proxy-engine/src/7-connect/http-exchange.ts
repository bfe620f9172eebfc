// One request and its response on their way through the proxy: a client's stream on one side, an attempt at an endpoint
// on the other, back-pressure both ways. What to connect to, and whether to try again, is decided by the two kinds of
// exchange (outbound and inbound) that extend this.

import { copyBytes, type ErrorKind } from "@ripstop/core";
import {
  HeaderList,
  httpDate,
  type RequestHead,
  ResponseHead,
  StreamErrorCode,
  type ServerStream,
  type ServerStreamHandler,
} from "@ripstop/http";
import { WheelTimer } from "@ripstop/net";
import { removeMeshFields } from "../5-filter/request-duties.ts";
import type { Engine } from "../engine.ts";
import { spendForward } from "../5-filter/max-forwards.ts";
import { tooManyWaiting, traceRefused, upgradeNotCarried, upstreamReset } from "../errors.ts";
import { HALF_CLOSED_IDLE_MS } from "../settings.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import { bodyMemory } from "./body-memory.ts";
import type { HttpPool } from "./http-pool.ts";
import { ERROR_HEADER, isStreamingCall, refusal, sendRefusal, type Refusal } from "./local-reply.ts";
import type { AnswerWatch } from "../mirror/mirror-comparison.ts";
import type { MirroredRequest } from "./mirrored-request.ts";

/** How an attempt failed. */
export interface AttemptFailure {
  /** The upstream processed nothing: no connection, or the stream was refused. */
  readonly notSent: boolean;
  readonly overloaded: boolean;
  /** HTTP/2 error code that ended the stream. */
  readonly code: number;
  readonly cause: string;
}

/** Requests that one proxy carries at the same time. */
export const MAX_EXCHANGES: number = 50_000;
// Bodies up to this size are kept so that the request can be sent again.
const MAX_REPLAY = 64 * 1024;
// What a client may still send after it was answered, before its stream is cut.
const MAX_DISCARD = 1024 * 1024;

const continueHead: ResponseHead = new ResponseHead();
continueHead.status = 100;

/** The part of an exchange that is the same for outbound and inbound. */
export abstract class HttpExchange implements ServerStreamHandler, AttemptOwner {
  protected readonly engine: Engine;
  /** The client; a fault puts something in between. */
  protected downstream: ServerStream;
  /** The exchange's own copy of the request; edited on the way. */
  readonly request: RequestHead;
  readonly startedMs: number;
  /** The time when the stage that runs now began: one look at the clock serves a whole turn. */
  protected nowMs: number;
  protected attempt: Attempt | undefined = undefined;
  /** The refusal that was sent; undefined when the service answered. */
  refused: Refusal | undefined = undefined;
  /** Status sent to the client; 0 before. */
  status = 0;
  grpcStatus = -1;
  attempts = 0;
  bytesSent = 0;
  bytesReceived = 0;
  /** The code a proxy further on answered with; "" when none did. */
  upstreamError = "";
  /** Why the exchange broke off after the response had begun; "" when it did not. */
  brokenBy = "";
  #requestEnded = false;
  #requestTrailers: HeaderList | undefined = undefined;
  /** Body bytes so far, while they may be needed (again). */
  #kept: Buffer | undefined = undefined;
  #keptLength = 0;
  /** #kept holds the whole body so far. */
  #replayable = true;
  #unconsumed = 0;
  #discarded = 0;
  #responseStarted = false;
  #responseEnded = false;
  #tunnel = false;
  /** Runs while one side of a tunnel has ended and the other has not. */
  #halfClosed: WheelTimer | undefined = undefined;
  #bytesAtCheck = 0;
  #finished = false;
  #clientGone = false;
  /** Copies that get the body too. */
  #mirrors: readonly MirroredRequest[] | undefined = undefined;
  /** Watches the answer while copies of the request are compared with it. */
  protected answerWatch: AnswerWatch | undefined = undefined;

  constructor(engine: Engine, downstream: ServerStream, head: RequestHead, end: boolean) {
    this.engine = engine;
    this.downstream = downstream;
    this.request = engine.heads.take();
    this.request.takeFrom(head);
    this.#requestEnded = end;
    this.startedMs = engine.clock.monotonicMs();
    this.nowMs = this.startedMs;
    engine.live.exchanges++;
  }

  /** Edits a response on its way to the client. */
  protected abstract editResponse(head: ResponseHead): void;
  /** Whether to discard this response and try again; when true, the next attempt was started. */
  protected abstract retryResponse(attempt: Attempt, head: ResponseHead, end: boolean): boolean;
  /** An attempt failed before any response: tries again or refuses. */
  protected abstract attemptFailed(attempt: Attempt, failure: AttemptFailure): void;
  /** The attempt is over in good order or by the client's leave; bookkeeping of the endpoint. */
  protected abstract attemptDone(attempt: Attempt): void;
  /** The exchange is over: count it. Called exactly once. */
  protected abstract record(): void;

  /** Whether the request can be sent once more: all of its body so far is at hand. */
  protected get replayable(): boolean {
    return this.#replayable && !this.#responseStarted;
  }

  protected get finished(): boolean {
    return this.#finished;
  }

  /** The client went away before the end. */
  get clientGone(): boolean {
    return this.#clientGone;
  }

  /** Whether the exchange became a tunnel (WebSocket). */
  get tunnel(): boolean {
    return this.#tunnel;
  }

  /** Starts the next attempt at `pool`. */
  protected startAttempt(pool: HttpPool): Attempt {
    this.attempts++;
    const attempt = new Attempt(this, pool, this.nowMs);
    this.attempt = attempt;
    return attempt;
  }

  /** Gives up the current attempt, so that another can start. */
  protected dropAttempt(code: number): void {
    const attempt = this.attempt;
    if (attempt === undefined) return;
    this.attempt = undefined;
    attempt.abandon(code, this.#requestEnded);
    this.attemptDone(attempt);
  }

  /** The answer comes from outside of the mesh: what it says about errors of proxies is not true. */
  protected distrustAnswer(head: ResponseHead): void {
    if (this.upstreamError === "") return;
    this.upstreamError = "";
    head.headers.remove(ERROR_HEADER);
  }

  /** Answers in place of the service. When the response has begun already, the stream is cut instead. */
  protected refuse(refused: Refusal): void {
    if (this.#finished) return;
    this.dropAttempt(StreamErrorCode.CANCEL);
    if (this.#responseStarted) {
      this.brokenBy = refused.message;
      this.#finish();
      this.downstream.reset(StreamErrorCode.INTERNAL_ERROR);
      return;
    }
    this.refused = refused;
    this.#responseStarted = true;
    this.status = refused.status ?? refused.kind.status;
    sendRefusal(this.downstream, this.request, this.shown(refused), this.engine.clock.nowMs());
    this.#responseDone();
  }

  /** Ends the exchange without an answer: the client's stream, or connection, breaks off. */
  protected breakOff(cause: string): void {
    if (this.#finished) return;
    this.dropAttempt(StreamErrorCode.CANCEL);
    this.brokenBy = cause;
    this.#responseStarted = true;
    this.#finish();
    this.downstream.reset(StreamErrorCode.INTERNAL_ERROR);
  }

  /** What the caller may know of a refusal. */
  protected shown(refused: Refusal): Refusal {
    return refused;
  }

  /** Answers an OPTIONS or TRACE that must go no further (RFC 9110 §7.6.2, §9.3.8). True when it did. */
  protected answeredAsLast(): boolean {
    const { method, headers } = this.request;
    if (method !== "OPTIONS" && method !== "TRACE") return false;
    if (method === "TRACE" && !this.#requestEnded) {
      this.refuse(refusal(traceRefused, "a TRACE with a body is not passed on"));
      return true;
    }
    if (spendForward(headers)) return false;
    if (method === "TRACE") {
      this.refuse(refusal(traceRefused, "Max-Forwards is used up, and the proxy does not echo requests"));
      return true;
    }
    const head = new ResponseHead();
    head.contentLength = 0;
    this.answer(head);
    return true;
  }

  /** Answers without a body in place of the service. */
  protected answer(head: ResponseHead): void {
    head.headers.append("date", httpDate(this.engine.clock.nowMs()));
    this.#responseStarted = true;
    this.status = head.status;
    this.downstream.sendResponse(head, true);
    this.#responseDone();
  }

  /** Sends copies of the request from here on to mirrors too; only while `replayable`. */
  protected mirrorTo(mirrors: readonly MirroredRequest[]): void {
    this.#mirrors = mirrors;
    for (const mirror of mirrors) {
      mirror.start(this.nowMs);
      if (this.#kept !== undefined) mirror.body(this.#kept, 0, this.#keptLength);
      if (this.#requestEnded) mirror.end(this.#requestTrailers);
    }
  }

  /** A time-out of the exchange passed. */
  protected timedOut(kind: ErrorKind, message: string): void {
    this.abort(refusal(kind, message));
  }

  /** Last edits of the request; false when it is not to be sent any more, and the exchange was refused. */
  protected beforeSend(): boolean {
    return true;
  }

  /** The whole request is here, and it has no body. */
  protected get bodyless(): boolean {
    return this.#requestEnded && this.bytesSent === 0 && this.#requestTrailers === undefined;
  }

  /** Ends the exchange at once in both directions. */
  abort(refused: Refusal): void {
    if (this.#finished) return;
    if (!this.#responseStarted) {
      this.refuse(refused);
      return;
    }
    this.refused = refused;
    this.refuse(refused);
  }

  // The client's side.

  get mayPause(): boolean {
    const { request } = this;
    return request.expectsContinue || (request.contentLength < 0 && isStreamingCall(request));
  }

  onBody(buf: Buffer, start: number, end: number): void {
    const count = end - start;
    if (this.#finished) {
      this.#discard(count);
      return;
    }
    this.bytesSent += count;
    if (this.#mirrors !== undefined) for (const mirror of this.#mirrors) mirror.body(buf, start, end);
    const stream = this.attempt?.stream;
    if (this.#replayable) {
      if (stream === undefined || this.#keptLength + count <= MAX_REPLAY) this.#keep(buf, start, end);
      else this.#forgetBody();
    }
    if (stream === undefined) {
      this.#unconsumed += count;
      return;
    }
    if (stream.sendBody(buf, start, end) && this.#unconsumed === 0) this.downstream.consumed(count);
    else this.#unconsumed += count;
  }

  onTrailers(trailers: HeaderList): void {
    this.#requestEnded = true;
    if (this.#finished) return;
    removeMeshFields(trailers);
    this.#requestTrailers = new HeaderList();
    this.#requestTrailers.copyFrom(trailers);
    this.#endMirrors();
    this.attempt?.stream?.sendTrailers(trailers);
    this.#finishWhenBothEnded();
  }

  onEnd(): void {
    this.#requestEnded = true;
    if (this.#finished) return;
    this.#endMirrors();
    this.attempt?.stream?.sendEnd();
    this.#finishWhenBothEnded();
    if (this.#tunnel) this.#watchHalfClosed();
  }

  onWritable(): void {
    this.attempt?.grant();
  }

  onReset(_code: number, cause: string): void {
    if (this.#finished) return;
    this.#clientGone = true;
    this.brokenBy = `the client went away: ${cause}`;
    this.dropAttempt(StreamErrorCode.CANCEL);
    this.#finish();
  }

  // The service's side.

  attemptOpened(attempt: Attempt): void {
    const stream = attempt.stream;
    if (stream === undefined) return;
    if (!this.beforeSend()) return;
    const request = this.request;
    if (request.expectsContinue) {
      // The proxy has room for the body, so it says so itself; the upstream need not be asked.
      request.expectsContinue = false;
      this.downstream.sendInformational(continueHead);
    }
    const ended = this.#requestEnded && this.#keptLength === 0 && this.#requestTrailers === undefined;
    stream.sendRequest(request, ended);
    if (ended || this.attempt !== attempt) return;
    let open = true;
    if (this.#kept !== undefined && this.#keptLength > 0) open = stream.sendBody(this.#kept, 0, this.#keptLength);
    if (this.#keptLength > MAX_REPLAY) this.#forgetBody();
    if (this.#requestEnded && this.attempt === attempt) {
      if (this.#requestTrailers === undefined) stream.sendEnd();
      else stream.sendTrailers(this.#requestTrailers);
    }
    if (open) this.#grant();
  }

  attemptNotOpened(attempt: Attempt, cause: string, overloaded: boolean): void {
    if (this.attempt !== attempt) return;
    this.attempt = undefined;
    this.attemptFailed(attempt, { notSent: true, overloaded, code: StreamErrorCode.REFUSED_STREAM, cause });
  }

  attemptInformational(_attempt: Attempt, head: ResponseHead): void {
    // 100 was answered by the proxy itself.
    if (head.status !== 100) this.downstream.sendInformational(head);
  }

  attemptResponse(attempt: Attempt, head: ResponseHead, end: boolean): void {
    if (this.retryResponse(attempt, head, end)) return;
    this.#responseStarted = true;
    this.#forgetBody();
    this.status = head.status;
    this.upstreamError = head.headers.get(ERROR_HEADER) ?? "";
    this.#readGrpcStatus(head.headers);
    this.#tunnel = head.protocol !== "";
    this.editResponse(head);
    // RFC 9110 §6.6.1: a response that is passed on says when it was received, if its sender did not.
    const { headers } = head;
    if (headers.indexOf("date", 0) < 0) headers.append("date", httpDate(this.engine.clock.nowMs()));
    this.downstream.sendResponse(head, end);
    if (end) this.#responseDone();
    else if (this.#tunnel && this.#requestEnded) this.#watchHalfClosed();
  }

  attemptBody(attempt: Attempt, buf: Buffer, start: number, end: number): void {
    const count = end - start;
    this.bytesReceived += count;
    if (this.answerWatch !== undefined) this.answerWatch.body(buf, start, end);
    if (this.downstream.sendBody(buf, start, end) && attempt.unconsumed === 0) attempt.stream?.consumed(count);
    else attempt.unconsumed += count;
  }

  attemptTrailers(_attempt: Attempt, trailers: HeaderList): void {
    this.#readGrpcStatus(trailers);
    this.downstream.sendTrailers(trailers);
    this.#responseDone();
  }

  attemptEnd(_attempt: Attempt): void {
    this.downstream.sendEnd();
    this.#responseDone();
  }

  attemptWritable(_attempt: Attempt): void {
    this.#grant();
  }

  attemptReset(attempt: Attempt, code: number, cause: string): void {
    if (this.attempt !== attempt) return;
    if (this.#responseEnded) {
      // The response was complete: the upstream only did not want the rest of the request.
      this.#finish();
      return;
    }
    if (!this.#responseStarted) {
      this.attempt = undefined;
      if (code === StreamErrorCode.HTTP_1_1_REQUIRED && this.request.protocol !== "") {
        // No fault of the instance, and no other one would do better.
        this.attemptDone(attempt);
        this.refuse(refusal(upgradeNotCarried, cause));
        return;
      }
      const notSent = code === StreamErrorCode.REFUSED_STREAM;
      this.attemptFailed(attempt, { notSent, overloaded: false, code, cause });
      return;
    }
    this.attempt = undefined;
    attempt.grant();
    this.attemptDone(attempt);
    this.brokenBy = cause;
    this.refused ??= this.#tunnel ? undefined : refusal(upstreamReset, cause);
    this.#finish();
    // REFUSED_STREAM would tell the client that nothing of its request was done (RFC 9113 section 8.7).
    const isUntrue = code === StreamErrorCode.NO_ERROR || code === StreamErrorCode.REFUSED_STREAM;
    this.downstream.reset(isUntrue ? StreamErrorCode.INTERNAL_ERROR : code);
  }

  /** The refusal when a pool takes no more. */
  protected explainOverload(address: string, cause: string): Refusal {
    return refusal(tooManyWaiting, `${address} is busy: ${cause}`);
  }

  /** The whole response was handed to the client. */
  #responseDone(): void {
    this.#responseEnded = true;
    if (this.#finished) return;
    if (!this.#requestEnded && this.#tunnel) {
      this.#watchHalfClosed();
      return;
    }
    if (!this.#requestEnded) {
      // An early response: nobody wants the rest of the request.
      this.attempt?.stream?.reset(StreamErrorCode.NO_ERROR);
    }
    this.#finish();
  }

  #finishWhenBothEnded(): void {
    if (this.#responseEnded && this.#requestEnded) this.#finish();
  }

  /** From here to the end of the other side, or until nothing has passed for HALF_CLOSED_IDLE_MS. */
  #watchHalfClosed(): void {
    if (this.#finished) return;
    this.#halfClosed ??= new WheelTimer(() => this.#checkHalfClosed());
    this.#bytesAtCheck = this.bytesSent + this.bytesReceived;
    this.engine.wheel.schedule(this.#halfClosed, HALF_CLOSED_IDLE_MS);
  }

  #checkHalfClosed(): void {
    if (this.#finished) return;
    if (this.bytesSent + this.bytesReceived !== this.#bytesAtCheck) {
      this.#watchHalfClosed();
      return;
    }
    this.brokenBy = `one side of the tunnel had ended, and nothing passed for ${HALF_CLOSED_IDLE_MS / 1000} s`;
    this.dropAttempt(StreamErrorCode.CANCEL);
    this.#finish();
    this.downstream.reset(StreamErrorCode.CANCEL);
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    if (this.#mirrors !== undefined) for (const mirror of this.#mirrors) mirror.cancel();
    if (this.#halfClosed !== undefined) this.engine.wheel.cancel(this.#halfClosed);
    const attempt = this.attempt;
    if (attempt !== undefined) {
      this.attempt = undefined;
      attempt.grant();
      this.attemptDone(attempt);
    }
    // What the client's side still holds is bounded by its queue; the windows of both connections are shared by others.
    if (!this.#clientGone) this.#grant();
    this.#forgetBody();
    this.engine.live.exchanges--;
    this.record();
    this.engine.heads.release(this.request);
  }

  #endMirrors(): void {
    if (this.#mirrors !== undefined) for (const mirror of this.#mirrors) mirror.end(this.#requestTrailers);
  }

  #grant(): void {
    if (this.#unconsumed === 0) return;
    const count = this.#unconsumed;
    this.#unconsumed = 0;
    this.downstream.consumed(count);
  }

  #discard(count: number): void {
    this.#discarded += count;
    if (this.#discarded > MAX_DISCARD) this.downstream.reset(StreamErrorCode.NO_ERROR);
    else this.downstream.consumed(count);
  }

  #keep(buf: Buffer, start: number, end: number): void {
    const needed = this.#keptLength + (end - start);
    let kept = this.#kept;
    if (kept === undefined || kept.length < needed) {
      const grown = bodyMemory.take(Math.max(needed, (kept?.length ?? 0) * 2));
      if (kept !== undefined) {
        copyBytes(grown, 0, kept, 0, this.#keptLength);
        bodyMemory.give(kept);
      }
      this.#kept = grown;
      kept = grown;
    }
    copyBytes(kept, this.#keptLength, buf, start, end);
    this.#keptLength = needed;
  }

  #forgetBody(): void {
    if (this.#kept !== undefined) bodyMemory.give(this.#kept);
    this.#kept = undefined;
    this.#keptLength = 0;
    this.#replayable = false;
  }

  #readGrpcStatus(headers: HeaderList): void {
    const status = headers.get("grpc-status");
    if (status !== undefined) this.grpcStatus = Number.parseInt(status, 10) | 0;
  }
}

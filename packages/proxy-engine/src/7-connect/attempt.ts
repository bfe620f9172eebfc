// One try of an exchange at one endpoint.

import type { ClientStream, HeaderList, ResponseHead } from "@ripstop/http";
import type { HttpPool, StreamWaiter, UpstreamConnection } from "./http-pool.ts";

/** Who hears what becomes of an attempt. */
export interface AttemptOwner {
  /** Send the request on `attempt.stream` now. */
  attemptOpened(attempt: Attempt): void;
  /** Nothing was sent. */
  attemptNotOpened(attempt: Attempt, cause: string, overloaded: boolean): void;
  attemptInformational(attempt: Attempt, head: ResponseHead): void;
  attemptResponse(attempt: Attempt, head: ResponseHead, end: boolean): void;
  attemptBody(attempt: Attempt, buf: Buffer, start: number, end: number): void;
  attemptTrailers(attempt: Attempt, trailers: HeaderList): void;
  attemptEnd(attempt: Attempt): void;
  attemptWritable(attempt: Attempt): void;
  attemptReset(attempt: Attempt, code: number, cause: string): void;
}

/** The upstream half of an exchange. After `abandon` its owner hears nothing more. */
export class Attempt implements StreamWaiter {
  readonly pool: HttpPool;
  readonly startedMs: number;
  stream: ClientStream | undefined = undefined;
  connection: UpstreamConnection | undefined = undefined;
  /** The connection had carried an exchange before: it may have been closed by the peer just now. */
  reused = false;
  /** Any part of a response came. */
  responded = false;
  /** Response bytes that the upstream was not yet told are used. */
  unconsumed = 0;
  /** The upstream said that it is done, or the stream was reset. */
  over = false;
  #owner: AttemptOwner | undefined;

  constructor(owner: AttemptOwner, pool: HttpPool, startedMs: number) {
    this.#owner = owner;
    this.pool = pool;
    this.startedMs = startedMs;
  }

  /** Tells the upstream that all received bytes are used, also after its end: the connection's window is shared. */
  grant(): void {
    const count = this.unconsumed;
    if (count === 0) return;
    this.unconsumed = 0;
    this.stream?.consumed(count);
  }

  /**
   * Stops the attempt and tells its owner nothing more. `code` is sent to the upstream when the stream is open: also
   * when the upstream's half has ended and ours has not (`requestEnded`), as nobody would end it any more.
   */
  abandon(code: number, requestEnded: boolean): void {
    this.#owner = undefined;
    this.grant();
    const wasOver = this.over;
    this.over = true;
    if (this.stream !== undefined) {
      if (!wasOver || !requestEnded) this.stream.reset(code);
    } else if (!wasOver) this.pool.cancel(this);
  }

  onStream(stream: ClientStream, connection: UpstreamConnection, reused: boolean): void {
    this.stream = stream;
    this.connection = connection;
    this.reused = reused;
    this.#owner?.attemptOpened(this);
  }

  onNoStream(cause: string, overloaded: boolean): void {
    this.over = true;
    this.#owner?.attemptNotOpened(this, cause, overloaded);
  }

  onInformational(head: ResponseHead): void {
    this.#owner?.attemptInformational(this, head);
  }

  onResponse(head: ResponseHead, end: boolean): void {
    this.responded = true;
    if (end) this.over = true;
    this.#owner?.attemptResponse(this, head, end);
  }

  onBody(buf: Buffer, start: number, end: number): void {
    this.#owner?.attemptBody(this, buf, start, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.over = true;
    this.#owner?.attemptTrailers(this, trailers);
  }

  onEnd(): void {
    this.over = true;
    this.#owner?.attemptEnd(this);
  }

  onWritable(): void {
    this.#owner?.attemptWritable(this);
  }

  onReset(code: number, cause: string): void {
    this.over = true;
    this.#owner?.attemptReset(this, code, cause);
  }
}

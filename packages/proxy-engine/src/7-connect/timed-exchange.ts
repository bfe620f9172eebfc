// The time-outs of an outbound exchange: of the whole request, of a try, of the head and the body of the answer, of silence.

import type { ErrorKind } from "@ripstop/core";
import type { RequestHead, ServerStream } from "@ripstop/http";
import type { CompiledRule } from "@ripstop/routing";
import type { HostPort } from "../2-identify/authority.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import { bodyTimedOut, deadlinePassed, headerTimedOut, requestTimedOut, streamIdle, tryTimedOut } from "../errors.ts";
import type { CountedLoad } from "./counted-load.ts";
import type { ExchangeOrigin } from "./exchange-start.ts";
import { ExchangeTimer, Timed, type TimedValue } from "./exchange-timer.ts";
import { DisturbedExchange } from "./disturbed-exchange.ts";
import { refusal } from "./local-reply.ts";
import { allowedMs, inheritedMs, namesTime, NO_LIMIT, writeAllowed } from "./request-deadline.ts";
import { reportTimeout } from "./report-timeout.ts";
import { isIdempotent } from "./retry-rules.ts";

/** Idleness is looked at so often within its time-out. */
const IDLE_LOOKS = 4;

const NOWHERE: HostPort = { host: "", port: 0 };

/** Made when a time-out applies. */
interface Times {
  readonly timer: ExchangeTimer;
  /** For the whole request; 0 = none. */
  requestMs: number;
  /** `requestMs` is what the client asked for. */
  isClients: boolean;
  /** Bytes that had passed when idleness was looked at last, and how often in a row none had. */
  idleMark: number;
  idleLooks: number;
}

/** An outbound exchange as its time-outs see it. */
export abstract class TimedExchange extends DisturbedExchange {
  /** Where the request comes from. */
  protected readonly origin: ExchangeOrigin;
  protected target: HostPort = NOWHERE;
  protected rule: CompiledRule | undefined = undefined;
  protected cluster: Cluster | undefined = undefined;
  protected endpoint: UpstreamEndpoint | undefined = undefined;
  protected isGrpc = false;
  /** Undefined when no limit applies. */
  protected load: CountedLoad | undefined = undefined;
  #times: Times | undefined = undefined;

  /** `end`: the request has no body. */
  constructor(origin: ExchangeOrigin, downstream: ServerStream, head: RequestHead, end: boolean) {
    super(origin.context.engine, downstream, head, end);
    this.origin = origin;
  }

  /** The config of the host did not come in time. */
  protected abstract configMissing(): void;
  /** The answer is slow: a second try may begin. */
  protected abstract hedge(): void;
  /** One try took too long. True when the exchange goes on, with another one. */
  protected abstract goOnAfterTimeout(): boolean;
  /** Nothing is under way: the exchange waits before its next try. */
  protected abstract get pausing(): boolean;
  abstract get retries(): number;

  /** Lets `timed` end at `atMs` (monotonic). */
  protected time(timed: TimedValue, atMs: number): void {
    this.#made().timer.set(timed, atMs);
  }

  /** `timed` does not end any more. */
  protected untime(timed: TimedValue): void {
    this.#times?.timer.clear(timed);
  }

  /** What belonged to the last try does not end any more. */
  protected untimeTry(): void {
    this.#times?.timer.clearTry();
  }

  /** Nothing ends any more. */
  protected endTimes(): void {
    this.#times?.timer.cancel();
  }

  /** When the whole request ends; Infinity when it may take any time. */
  protected get requestEndsMs(): number {
    return this.#times?.timer.at(Timed.REQUEST) ?? NO_LIMIT;
  }

  #made(): Times {
    const made = this.#times;
    if (made !== undefined) return made;
    const timer = new ExchangeTimer(this.engine, (due) => this.#onDue(due));
    return (this.#times = { timer, requestMs: 0, isClients: false, idleMark: 0, idleLooks: 0 });
  }

  /**
   * Sets the time for the whole request: the route's, else the policy's; the caller's own when that is nearer. False when
   * the caller's is over, and the request was refused.
   */
  protected limitTime(cluster: Cluster): boolean {
    // Below zero: the route says that there is none, whatever the policy says.
    const limitMs = Math.max(0, this.rule?.requestTimeoutMs || cluster.settings.requestTimeoutMs);
    const { deadlines } = this.origin.context;
    if (limitMs === 0 && deadlines.size === 0 && !namesTime(this.request.headers, this.isGrpc)) return true;
    return this.#limitTime(limitMs, deadlines);
  }

  #limitTime(limitMs: number, deadlines: ReadonlyMap<string, number>): boolean {
    const { headers } = this.request;
    const inherited = inheritedMs(headers, deadlines, this.startedMs);
    const allowed = Math.min(allowedMs(headers, this.isGrpc), inherited);
    const isClients = allowed < NO_LIMIT && (limitMs === 0 || allowed < limitMs);
    if (isClients && allowed <= this.nowMs - this.startedMs) {
      this.refuse(refusal(deadlinePassed, `the caller allows ${Math.floor(allowed)} ms more, and they are over`));
      return false;
    }
    const requestMs = isClients ? allowed : limitMs;
    if (requestMs > 0) {
      const times = this.#made();
      times.requestMs = requestMs;
      times.isClients = isClients;
      times.timer.set(Timed.REQUEST, this.startedMs + requestMs);
    }
    return true;
  }

  /** Times a try that begins now; `tryMs` 0 = for any time. */
  protected timeTry(tryMs: number): void {
    if (tryMs > 0) this.time(Timed.TRY, this.nowMs + tryMs);
    const { cluster } = this;
    if (cluster?.resilience.timesTries !== true) return;
    const { headerTimeoutMs, streamIdleMs, hedgeDelayMs } = cluster.resilience;
    if (headerTimeoutMs > 0) this.time(Timed.HEADER, this.nowMs + headerTimeoutMs);
    if (streamIdleMs > 0) this.#watchIdle(streamIdleMs);
    const hedgeMs = hedgeDelayMs || (cluster.latencies?.ms ?? 0);
    if (hedgeMs > 0 && this.attempts === 1 && isIdempotent(this.request.method))
      this.time(Timed.HEDGE, this.nowMs + hedgeMs);
  }

  /** How long one try may take; 0 = any time. */
  protected get tryMs(): number {
    return this.rule?.backendTimeoutMs || (this.cluster?.resilience.perTryTimeoutMs ?? 0);
  }

  /** The head of the answer is here: from now on the body is timed; a tunnel only by its silence. */
  protected headCame(nowMs: number): void {
    const bodyMs = this.cluster?.resilience.bodyTimeoutMs ?? 0;
    if (this.#times !== undefined || bodyMs > 0) this.#timeBody(nowMs, bodyMs);
  }

  #timeBody(nowMs: number, bodyMs: number): void {
    const { timer } = this.#made();
    timer.clear(Timed.HEADER);
    timer.clear(Timed.HEDGE);
    if (this.tunnel) {
      timer.clear(Timed.REQUEST);
      timer.clear(Timed.TRY);
    } else if (bodyMs > 0) timer.set(Timed.BODY, nowMs + bodyMs);
  }

  /** Looks several times within `idleMs` whether anything passed: nothing is counted while bytes pass. */
  #watchIdle(idleMs: number): void {
    const times = this.#made();
    times.idleMark = this.bytesSent + this.bytesReceived;
    times.idleLooks = 0;
    times.timer.set(Timed.IDLE, this.nowMs + idleMs / IDLE_LOOKS);
  }

  #lookAtIdle(): void {
    const times = this.#made();
    const idleMs = this.cluster?.resilience.streamIdleMs ?? 0;
    if (this.bytesSent + this.bytesReceived !== times.idleMark) {
      this.#watchIdle(idleMs);
    } else if (++times.idleLooks < IDLE_LOOKS) {
      times.timer.set(Timed.IDLE, this.nowMs + idleMs / IDLE_LOOKS);
    } else {
      this.#expire(streamIdle, idleMs, "and its client sent nothing for");
    }
  }

  #onDue(timed: TimedValue): void {
    if (this.finished) return;
    this.nowMs = this.engine.clock.monotonicMs();
    const times = this.#made();
    switch (timed) {
      case Timed.CONFIG:
        return this.configMissing();
      case Timed.HEDGE:
        return this.hedge();
      case Timed.IDLE:
        return this.#lookAtIdle();
      case Timed.TRY:
      case Timed.HEADER:
        return this.#tryTimedOut(timed);
      case Timed.BODY:
        this.#expire(bodyTimedOut, this.cluster?.resilience.bodyTimeoutMs ?? 0, "did not end its answer within");
        return;
      case Timed.REQUEST:
        // A client that allows too little time says nothing about the endpoint.
        if (!times.isClients && !this.pausing) this.#blame();
        this.#expire(requestTimedOut, times.requestMs, "did not answer within");
    }
  }

  /** One try took too long: another one follows if it may. */
  #tryTimedOut(timed: typeof Timed.TRY | typeof Timed.HEADER): void {
    this.#blame();
    if (this.goOnAfterTimeout()) return;
    if (timed === Timed.TRY) this.#expire(tryTimedOut, this.tryMs, "did not answer within");
    else this.#expire(headerTimedOut, this.cluster?.resilience.headerTimeoutMs ?? 0, "did not begin its answer within");
  }

  #blame(): void {
    if (this.endpoint !== undefined) this.cluster?.recordFailure(this.endpoint);
  }

  /** Ends the exchange by a time-out, which is said in the answer, the log and the metrics. */
  #expire(kind: ErrorKind, limitMs: number, what: string): void {
    if (this.load !== undefined) this.load.wasSlow = this.#times?.isClients !== true;
    this.reportTimeout(kind, limitMs);
    const retried = this.retries > 0 ? ", with its retries" : "";
    this.timedOut(kind, `${this.where(this.target.host)} ${what} ${Math.floor(limitMs)} ms${retried}`);
  }

  /** Counts a time-out of the service, if the request had come as far as that. */
  protected reportTimeout(kind: ErrorKind, limitMs: number): void {
    if (this.cluster === undefined) return;
    const endpoint = this.endpoint?.id ?? "";
    reportTimeout(this.engine, this.cluster, { kind, limitMs, endpoint, route: this.rule?.source ?? "" });
  }

  /** The instance, as messages name it. */
  protected where(address: string): string {
    return this.endpoint === undefined ? address : `${this.endpoint.id} at ${address}`;
  }

  /** The next hop hears how much time is left; what is too late is not sent. */
  protected override beforeSend(): boolean {
    return this.#times === undefined || this.#tellTime(this.#times);
  }

  #tellTime({ timer, requestMs }: Times): boolean {
    const now = this.engine.clock.monotonicMs();
    const leftMs = Math.min(timer.at(Timed.REQUEST), timer.at(Timed.TRY)) - now;
    if (leftMs === Number.POSITIVE_INFINITY) return true;
    if (timer.at(Timed.REQUEST) <= now) {
      this.refuse(refusal(deadlinePassed, `${Math.floor(requestMs)} ms were over before the request could be sent`));
      return false;
    }
    writeAllowed(this.request.headers, leftMs, this.isGrpc);
    return true;
  }
}

// A request from a peer to a hosted workload: judge, then hand to the application.

import { StreamErrorCode, type RequestHead, type ResponseHead, type ServerStream } from "@ripstop/http";
import { Protocol, type InboundPort } from "@ripstop/model";
import type { RequestInfo } from "@ripstop/policy-api/proxy";
import { splitTarget } from "@ripstop/routing";
import { WheelTimer } from "@ripstop/net";
import { metricNames } from "@ripstop/telemetry";
import type { HostedWorkload } from "../1-accept/hosted-workload.ts";
import { parseAuthority } from "../2-identify/authority.ts";
import type { InboundPeer } from "../2-identify/inbound-peer.ts";
import { canonicalTarget, REFUSED_PATH } from "../5-filter/canonical-path.ts";
import type { LoadShedder } from "../5-filter/load-shedder.ts";
import type { PolicyChain } from "../5-filter/policy-chain.ts";
import { applyInboundDuties, claimedService } from "../5-filter/request-duties.ts";
import { RequestView } from "../5-filter/request-view.ts";
import {
  applicationUnreachable,
  deadlinePassed,
  invalidPath,
  loadShed,
  missingHost,
  policyNotInForce,
  portNotServed,
  requestTimedOut,
  tooManyExchanges,
  upstreamReset,
} from "../errors.ts";
import { recordExchange, type ExchangeFacts } from "../telemetry/record-exchange.ts";
import type { Attempt } from "./attempt.ts";
import { DisturbedExchange } from "./disturbed-exchange.ts";
import { MAX_EXCHANGES, type AttemptFailure } from "./http-exchange.ts";
import { denialRefusal, isGrpc, refusal, type Refusal } from "./local-reply.ts";
import { allowedMs, NO_LIMIT, writeAllowed } from "./request-deadline.ts";
import { isIdempotent } from "./retry-rules.ts";

/** What is shed may come again a little later. */
const RETRY_SOON: readonly (readonly [string, string])[] = [["retry-after", "1"]];
/** One judgement at a time: filters may not keep the view. */
const view = new RequestView();

/** Writes a request or connection that passed into the log, when a policy wants it on record. */
export function auditRequest(workload: HostedWorkload, request: RequestInfo): void {
  const record = workload.view.chain?.audit(request);
  if (record === undefined) return;
  const { source, port, method, host, path } = request;
  workload.engine.log.info("audited", {
    policy: record.policy,
    clause: record.clause,
    workload: workload.id,
    peer: source.identity,
    port,
    method,
    host,
    path,
  });
}

/** An inbound exchange. Make it, then call `start`. */
export class InboundExchange extends DisturbedExchange implements ExchangeFacts {
  readonly #workload: HostedWorkload;
  readonly #peer: InboundPeer;
  #port: InboundPort | undefined = undefined;
  retries = 0;
  /** Routes are the caller's side's matter. */
  readonly route = "";
  #isGrpc = false;
  /** The service port that the caller named is one of HTTP/2. */
  #declaredHttp2 = false;
  #sourceService = "";
  /** Runs while a request that names a deadline is under way. */
  #deadline: WheelTimer | undefined = undefined;
  /** Monotonic milliseconds, while #deadline is set. */
  #endsAtMs = 0;
  /** Who counted this exchange in. */
  #shedder: LoadShedder | undefined = undefined;
  /** From the start to the head of the answer, for #shedder; -1 before. */
  #headMs = -1;
  #wasSlow = false;

  constructor(workload: HostedWorkload, peer: InboundPeer, downstream: ServerStream, start: InboundStart) {
    super(workload.engine, downstream, start.head, start.end);
    this.#workload = workload;
    this.#peer = peer;
  }

  /** Runs the stages. */
  start(): void {
    const { request } = this;
    this.#isGrpc = isGrpc(request);
    this.#workload.exchanges.add(this);
    const target = canonicalTarget(request.path);
    this.#sourceService = claimedService(request.headers, this.#peer);
    this.#declaredHttp2 = applyInboundDuties(request, this.#peer, this.engine.ids);
    if (this.engine.live.exchanges > MAX_EXCHANGES) {
      this.refuse(refusal(tooManyExchanges, `${MAX_EXCHANGES} requests are under way`));
      return;
    }
    if (target === REFUSED_PATH) {
      this.refuse(refusal(invalidPath, "the path is ambiguous and was not passed on"));
      return;
    }
    request.path = target;
    if (request.authority !== "" && parseAuthority(request.authority) === undefined) {
      this.refuse(refusal(missingHost, "the request's host cannot be read"));
      return;
    }
    const refused = this.#judge();
    if (refused !== undefined) {
      this.refuse(refused);
      return;
    }
    auditRequest(this.#workload, view);
    if (this.answeredAsLast()) return;
    const { shedder } = this.#workload;
    if (shedder !== undefined && !this.#admit(shedder)) return;
    if (!this.#watchDeadline()) return;
    const { chain } = this.#workload.view;
    if (chain?.counts === true && this.#counted(chain)) return;
    this.#forward();
  }

  #forward(): void {
    const port = this.#workload.view.port(this.#peer.port);
    if (port === undefined) {
      this.refuse(refusal(portNotServed, `${this.#workload.id} has no port ${this.#peer.port}`));
      return;
    }
    this.#port = port;
    this.#connect(port);
  }

  /** Puts the request, as `view` has it, before the policies that count and disturb. True when it goes no further now. */
  #counted(chain: PolicyChain): boolean {
    const denial = chain.admit(view);
    if (denial !== undefined) {
      this.refuse(denialRefusal(denial));
      return true;
    }
    const fault = chain.disturb(view);
    if (fault === undefined) return false;
    this.disturb(fault, () => this.#forward());
    return true;
  }

  /** Judges a live exchange again after policies changed, and cuts it when it is refused now. */
  recheck(): void {
    if (this.finished) return;
    const refused = this.#judge();
    if (refused !== undefined) this.abort(refused);
  }

  #judge(): Refusal | undefined {
    const { chain } = this.#workload.view;
    if (chain === undefined) return refusal(policyNotInForce, this.#workload.view.missing);
    const { request } = this;
    const { path, query } = splitTarget(request.path);
    view.source = this.#peer;
    view.port = this.#peer.port;
    view.http = true;
    view.method = request.method;
    view.host = parseAuthority(request.authority)?.host ?? "";
    view.path = path;
    view.query = query;
    view.headers = request.headers;
    const denial = chain.judge(view);
    return denial === undefined ? undefined : denialRefusal(denial);
  }

  /** Counts the request in, or refuses it when the workload has too much to do for one of its priority. */
  #admit(shedder: LoadShedder): boolean {
    const priority = shedder.priorityOf(view);
    if (shedder.tryEnter(priority)) {
      this.#shedder = shedder;
      return true;
    }
    const { name, help } = metricNames.LOAD_REFUSALS;
    const service = this.#workload.view.workload?.service ?? "";
    this.engine.metrics.counter(name, help, { service, limit: `shedding ${priority.name}` }).add(1);
    const { id } = this.#workload;
    this.refuse({
      ...refusal(loadShed, `${id} has too much to do for requests of priority ${priority.name}`),
      detail: `${id} has ${shedder.inflight} requests under way; its limit is ${shedder.limit}, of which priority ${priority.name} may use ${priority.share * 100} %`,
      headers: RETRY_SOON,
    });
    return false;
  }

  /**
   * The caller's deadline holds here too: whoever calls may not watch over it, and its work is in vain after it. False when
   * it has passed already, and the request was refused.
   */
  #watchDeadline(): boolean {
    const limitMs = allowedMs(this.request.headers, this.#isGrpc);
    if (limitMs === NO_LIMIT) return true;
    if (limitMs <= 0) {
      this.refuse(refusal(deadlinePassed, "the caller allows no more time"));
      return false;
    }
    this.#endsAtMs = this.startedMs + limitMs;
    this.#deadline = new WheelTimer(() => {
      this.#wasSlow = true;
      this.timedOut(requestTimedOut, `the application of ${this.#workload.id} did not answer within ${limitMs} ms`);
    });
    this.engine.wheel.schedule(this.#deadline, limitMs);
    const requestId = this.request.headers.get("x-request-id") ?? "";
    this.#workload.deadlines.set(requestId, this.#endsAtMs);
    return true;
  }

  /** The application hears how much time is left; what is too late is not begun. */
  protected override beforeSend(): boolean {
    if (this.#deadline === undefined) return true;
    const leftMs = this.#endsAtMs - this.engine.clock.monotonicMs();
    if (leftMs <= 0) {
      this.refuse(refusal(deadlinePassed, `the caller's time was over before ${this.#workload.id} could begin`));
      return false;
    }
    writeAllowed(this.request.headers, leftMs, this.#isGrpc);
    return true;
  }

  #connect(port: InboundPort): void {
    const http2 =
      port.protocol === Protocol.HTTP2 ||
      port.protocol === Protocol.GRPC ||
      (this.#declaredHttp2 && port.protocol === Protocol.UNSPECIFIED) ||
      (this.#isGrpc && port.protocol !== Protocol.HTTP1);
    const pool = this.#workload.applicationPool(port, http2, this.#peer);
    pool.acquire(this.startAttempt(pool));
  }

  protected override editResponse(head: ResponseHead): void {
    if (this.#shedder !== undefined) this.#headMs = this.engine.clock.monotonicMs() - this.startedMs;
    this.distrustAnswer(head);
  }

  protected override retryResponse(_attempt: Attempt, _head: ResponseHead, _end: boolean): boolean {
    return false;
  }

  protected override attemptFailed(attempt: Attempt, failure: AttemptFailure): void {
    const stale = attempt.reused && (failure.notSent || isIdempotent(this.request.method));
    if (stale && this.replayable && this.retries < 2 && this.#port !== undefined) {
      this.retries++;
      this.dropAttempt(StreamErrorCode.CANCEL);
      this.#connect(this.#port);
      return;
    }
    const { address } = attempt.pool;
    if (failure.overloaded) this.refuse(this.explainOverload(address, failure.cause));
    else if (failure.notSent) {
      this.refuse(
        refusal(applicationUnreachable, `the application of ${this.#workload.id} at ${address}: ${failure.cause}`),
      );
    } else
      this.refuse(
        refusal(upstreamReset, `the application of ${this.#workload.id} at ${address} broke off: ${failure.cause}`),
      );
  }

  protected override attemptDone(_attempt: Attempt): void {}

  #forgetDeadline(deadline: WheelTimer): void {
    this.engine.wheel.cancel(deadline);
    const { deadlines } = this.#workload;
    const requestId = this.request.headers.get("x-request-id") ?? "";
    if (deadlines.get(requestId) === this.#endsAtMs) deadlines.delete(requestId);
  }

  #leave(shedder: LoadShedder): void {
    const nowMs = this.engine.clock.monotonicMs();
    shedder.leave(this.#wasSlow ? nowMs - this.startedMs : this.#headMs, nowMs, this.#wasSlow);
  }

  get workload(): string {
    return this.#workload.id;
  }

  get tlsVersion(): string {
    return this.#peer.tlsVersion;
  }

  protected override record(): void {
    if (this.#deadline !== undefined) this.#forgetDeadline(this.#deadline);
    if (this.#shedder !== undefined) this.#leave(this.#shedder);
    this.endFault();
    this.#workload.exchanges.delete(this);
    const edge = this.#workload.inboundEdge(this.#peer, this.#sourceService, this.#isGrpc ? "grpc" : "http");
    recordExchange(this.engine, edge, this);
  }
}

/** How an inbound exchange begins. */
export interface InboundStart {
  readonly head: RequestHead;
  /** The request has no body. */
  readonly end: boolean;
}

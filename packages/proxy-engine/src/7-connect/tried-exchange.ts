// An outbound exchange at one instance after another: balance, connect, and what follows when a try fails (retries within
// their budget) or is slow (a second try beside the first one).

import { StreamErrorCode, type HeaderList, type ResponseHead } from "@ripstop/http";
import { Protocol } from "@ripstop/model";
import { closeCause, WheelTimer } from "@ripstop/net";
import { metricNames } from "@ripstop/telemetry";
import { declareHttp2, removeOutboundFields, undeclareHttp2 } from "../5-filter/request-duties.ts";
import type { Affinity } from "../6-balance/affinity.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import { RETRY_ON } from "../6-balance/resilience-settings.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import { connectFailed, connectTimedOut, unknownHost, upstreamReset } from "../errors.ts";
import { Attempt } from "./attempt.ts";
import { CountedLoad } from "./counted-load.ts";
import { Timed } from "./exchange-timer.ts";
import type { AttemptFailure } from "./http-exchange.ts";
import type { HttpPool } from "./http-pool.ts";
import { tooManyPending, tooManyRequests, tooSlowForMore } from "./load-refusals.ts";
import { ERROR_HEADER, refusal, type Refusal } from "./local-reply.ts";
import { noInstance, portNotOfInstance } from "./outbound-refusals.ts";
import { retryAfterMs } from "./retry-after.ts";
import {
  backoffBefore,
  bareGrpcStatus,
  isIdempotent,
  isRepeatable,
  isRetryableStatus,
  wantsRetryOf,
} from "./retry-rules.ts";
import { TimedExchange } from "./timed-exchange.ts";
import { Tries, type Hedge } from "./tries.ts";

const NOTHING_TRIED: readonly UpstreamEndpoint[] = [];
const GATEWAY_TIMEOUT = 504;
const FIRST_ERROR = 400;
/** What a dial says that took too long. */
const NO_ANSWER = closeCause("ETIMEDOUT").message;

/** An outbound exchange whose destination is known, and that goes there. */
export abstract class TriedExchange extends TimedExchange {
  protected servicePort = 0;
  protected protocol: Protocol = Protocol.UNSPECIFIED;
  /** Undefined when neither the rule nor the service has sessions, hash keys or subsets. */
  protected affinity: Affinity | undefined = undefined;
  /** TLS version of the connection that the answer came on; "" for none. */
  tlsVersion = "";
  /** `endpoint` has this exchange among those under way. */
  #charged = false;
  /** Made when more than one try is needed. */
  #tries: Tries | undefined = undefined;

  /** Sends a request that goes to no service of the mesh. */
  protected abstract egress(): void;

  /** Further tries after the first one. */
  get retries(): number {
    return this.#tries?.retries ?? 0;
  }

  protected override get pausing(): boolean {
    return this.#tries?.pausing === true;
  }

  /** Counts the request in, or refuses it when too much is under way to the service. */
  protected admit({ breaker, limiter, service }: Cluster): boolean {
    if (breaker?.tryEnter() === false) {
      this.#refuseForLoad("circuit", tooManyRequests(service, breaker));
      return false;
    }
    const load = (this.load = new CountedLoad());
    load.breaker = breaker;
    if (limiter?.tryEnter() === false) {
      this.#refuseForLoad("concurrency", tooSlowForMore(service, limiter));
      return false;
    }
    load.limiter = limiter;
    return true;
  }

  #refuseForLoad(limit: string, refused: Refusal): void {
    const { name, help } = metricNames.LOAD_REFUSALS;
    this.engine.metrics.counter(name, help, { service: this.cluster?.service ?? "", limit }).add(1);
    this.refuse(refused);
  }

  /** Chooses an instance and sends the request there. */
  protected balance(cluster: Cluster): void {
    const tried = this.#tries?.tried ?? NOTHING_TRIED;
    const { affinity } = this;
    const picked =
      affinity === undefined ? cluster.endpoints.pick(this.nowMs, tried) : affinity.pick(this.nowMs, tried);
    const endpoint = picked?.limiter === undefined ? picked : this.#withinLimit(cluster, picked);
    if (endpoint === undefined) {
      this.#refuseUnbalanced(cluster, picked);
      return;
    }
    if (endpoint.targetPort(this.servicePort) === 0) {
      endpoint.limiter?.cancel();
      this.refuse(portNotOfInstance(cluster, endpoint, this.servicePort));
      return;
    }
    if (!endpoint.mesh) removeOutboundFields(this.request);
    if (this.protocol === Protocol.HTTP2 || this.protocol === Protocol.GRPC) this.#sayHttp2(endpoint.mesh);
    this.endpoint = endpoint;
    endpoint.inflight++;
    this.#charged = true;
    if (endpoint.limiter !== undefined) (this.load ??= new CountedLoad()).endpointLimiter = endpoint.limiter;
    const pool = endpoint.pool(this.servicePort, this.protocol, this.isGrpc);
    const { maxPending } = cluster.resilience;
    if (maxPending > 0 && pool.waiting >= maxPending) {
      this.#endpointDone();
      this.#refuseForLoad("pending", tooManyPending(endpoint, pool));
      return;
    }
    this.connect(pool);
  }

  /** A peer's proxy may not know what the service's port is declared as. A gRPC call says so itself. */
  #sayHttp2(isMesh: boolean): void {
    if (this.isGrpc) return;
    if (isMesh) declareHttp2(this.request);
    // Only a try before this one can have said it.
    else if (this.#tries !== undefined) undeclareHttp2(this.request);
  }

  #refuseUnbalanced(cluster: Cluster, picked: UpstreamEndpoint | undefined): void {
    if (picked === undefined) this.refuse(noInstance(cluster, this.affinity?.subset ?? ""));
    else this.#refuseForLoad("concurrency", tooSlowForMore(cluster.service));
  }

  /** One more request at the instance, or at another one that takes it; undefined when none does. */
  #withinLimit(cluster: Cluster, picked: UpstreamEndpoint): UpstreamEndpoint | undefined {
    if (picked.limiter?.tryEnter() !== false) return picked;
    // What belongs to one instance is not given to another.
    if (this.affinity !== undefined) return undefined;
    for (const endpoint of cluster.endpoints.usable) {
      if (this.#tries?.tried.includes(endpoint) !== true && endpoint.limiter?.tryEnter() !== false) return endpoint;
    }
    return undefined;
  }

  /** Starts a try. */
  protected connect(pool: HttpPool): void {
    const attempt = this.startAttempt(pool);
    const { tryMs } = this;
    if (tryMs > 0 || this.cluster?.resilience.timesTries === true) this.timeTry(tryMs);
    pool.acquire(attempt);
  }

  protected override editResponse(head: ResponseHead): void {
    const { attempt, endpoint, cluster } = this;
    this.tlsVersion = attempt?.connection?.tlsVersion ?? "";
    if (endpoint?.mesh !== true) this.distrustAnswer(head);
    this.filterResponse(head);
    if (attempt === undefined || endpoint === undefined || cluster === undefined) return;
    const now = this.engine.clock.monotonicMs();
    const latencyMs = now - attempt.startedMs;
    if (this.load !== undefined) this.load.headMs = now - this.startedMs;
    this.headCame(now);
    cluster.latencies?.record(latencyMs);
    cluster.noteResponse(endpoint, head.status, head.headers);
    this.affinity?.editResponse(head.headers, endpoint);
    const failed = isRetryableStatus(head.status) || (this.isGrpc && head.headers.get("grpc-status") === "14");
    endpoint.recordLatency(latencyMs, now, failed);
    if (failed) cluster.recordFailure(endpoint);
    else cluster.recordSuccess(endpoint, now);
  }

  /** Lets the filters of the route edit the answer. */
  protected abstract filterResponse(head: ResponseHead): void;

  /** gRPC reports load in trailers. */
  override attemptTrailers(attempt: Attempt, trailers: HeaderList): void {
    if (this.endpoint !== undefined) this.cluster?.noteResponse(this.endpoint, 0, trailers);
    super.attemptTrailers(attempt, trailers);
  }

  protected override attemptDone(_attempt: Attempt): void {
    this.#endpointDone();
  }

  #endpointDone(): void {
    if (!this.#charged || this.endpoint === undefined) return;
    this.#charged = false;
    this.endpoint.inflight--;
    const { load } = this;
    if (load?.endpointLimiter === undefined) return;
    const { nowMs: sinceMs, startedMs } = this;
    load.leave(load.endpointLimiter, { sinceMs, startedMs, nowMs: this.engine.clock.monotonicMs() });
    load.endpointLimiter = undefined;
  }

  /** The exchange is over: nothing that was begun goes on. */
  protected endTries(): void {
    const tries = this.#tries;
    if (tries !== undefined) {
      if (tries.hedge !== undefined) this.#dropHedge(tries);
      if (tries.pause !== undefined) this.engine.wheel.cancel(tries.pause);
    }
    const { load } = this;
    if (load !== undefined) load.end(this.startedMs, this.engine.clock.monotonicMs());
  }

  // One try after another.

  protected override retryResponse(_attempt: Attempt, head: ResponseHead, end: boolean): boolean {
    // Most answers are no errors: that is seen at once.
    if (head.status < FIRST_ERROR && !this.isGrpc && this.rule?.retry === undefined) return false;
    return this.#isRetryable(head, end) && this.#retriesAfter(head);
  }

  #retriesAfter(head: ResponseHead): boolean {
    const leftMs = this.requestEndsMs - this.engine.clock.monotonicMs();
    const waitMs = retryAfterMs(head.headers.get("retry-after"), this.engine.clock.nowMs());
    if (waitMs > (this.cluster?.resilience.maxRetryAfterMs ?? 0) || waitMs >= leftMs) return false;
    if (!this.#mayRetry()) return false;
    if (this.endpoint !== undefined) {
      this.cluster?.noteResponse(this.endpoint, head.status, head.headers);
      if (this.isGrpc || isRetryableStatus(head.status)) this.cluster?.recordFailure(this.endpoint);
    }
    this.#retry(waitMs);
    return true;
  }

  protected override attemptFailed(attempt: Attempt, failure: AttemptFailure): void {
    this.#endpointDone();
    const stale = attempt.reused && !attempt.responded && !failure.notSent && isIdempotent(this.request.method);
    if (stale && this.#tries?.usedFreeRetry !== true && this.replayable) {
      // The peer closed a kept-alive connection just as it was used again: nobody's fault.
      (this.#tries ??= new Tries()).usedFreeRetry = true;
      this.#again();
      return;
    }
    // A connection that could not be made is no load on the service: such a retry is not a matter of the budget.
    const unconnected = failure.notSent && attempt.stream === undefined && !failure.overloaded;
    if (this.endpoint !== undefined && !failure.overloaded) this.cluster?.recordFailure(this.endpoint, unconnected);
    if (unconnected ? this.#retriesOn(RETRY_ON.connectFailure) : this.#repeats(failure) && this.#mayRetry())
      this.#retry();
    else this.#refuseFailed(attempt.pool.address, failure);
  }

  #refuseFailed(address: string, { overloaded, notSent, cause }: AttemptFailure): void {
    if (overloaded) this.refuse(this.explainOverload(address, cause));
    else if (!notSent) this.refuse(refusal(upstreamReset, `${this.where(address)} broke off: ${cause}`));
    else if (this.cluster === undefined) {
      const what = `${this.target.host} is not a service of the mesh, and ${address} is not reachable: ${cause}`;
      this.refuse(refusal(unknownHost, what));
    } else {
      const kind = cause === NO_ANSWER ? connectTimedOut : connectFailed;
      if (kind === connectTimedOut) this.reportTimeout(kind, this.cluster.settings.connectTimeoutMs);
      this.refuse(refusal(kind, `${this.where(address)} is not reachable: ${cause}`));
    }
  }

  /** Whether the policy tries again on this condition; a route that has a policy of its own always does. */
  #retriesOn(condition: number): boolean {
    if (!this.#hasRetries) return false;
    return this.rule?.retry !== undefined || ((this.cluster?.resilience.retryOn ?? 0) & condition) !== 0;
  }

  #repeats({ notSent, overloaded }: AttemptFailure): boolean {
    if (overloaded) return false;
    if (notSent) return this.#retriesOn(RETRY_ON.refusedStream);
    return this.#repeatsBroken;
  }

  /** Whether a request goes out again whose connection broke when it may have been processed. */
  get #repeatsBroken(): boolean {
    return this.#isRepeatable && this.#retriesOn(RETRY_ON.reset);
  }

  get #isRepeatable(): boolean {
    return isRepeatable(this.request.method, this.cluster?.resilience);
  }

  /**
   * A gRPC call that the server did not process; else the statuses that the route lists, whatever the method; else those of
   * the policy, when the method is safe to repeat.
   */
  #isRetryable(head: ResponseHead, end: boolean): boolean {
    const resilience = this.cluster?.resilience;
    if (resilience === undefined) return false;
    if (this.isGrpc && resilience.retryGrpcStatuses.includes(bareGrpcStatus(head.headers, end))) {
      // The server's proxy speaks for an application that broke off: that one may have done something.
      return head.headers.get(ERROR_HEADER) !== upstreamReset.code || this.#repeatsBroken;
    }
    const policy = this.rule?.retry;
    if (policy !== undefined) return policy.codes.includes(head.status);
    return wantsRetryOf(head.status, resilience) && this.#isRepeatable;
  }

  get #hasRetries(): boolean {
    if (this.cluster === undefined || !this.replayable) return false;
    return this.retries < (this.rule?.retry?.attempts || this.cluster.settings.maxRetries);
  }

  /** Takes a retry out of the budget if there is one. */
  #mayRetry(): boolean {
    if (!this.#hasRetries) return false;
    const { load } = this;
    const breaker = load?.breaker;
    if (breaker?.tryRetry() === false) return false;
    if (this.cluster?.budget.tryTake(this.engine.clock.monotonicMs()) !== true) {
      breaker?.endRetries(1);
      return false;
    }
    if (load !== undefined && breaker !== undefined) load.retries++;
    return true;
  }

  /** `leastMs`: what the service asked to wait. */
  #retry(leastMs: number = 0): void {
    const tries = (this.#tries ??= new Tries());
    tries.retries++;
    if (this.endpoint !== undefined) tries.tried.push(this.endpoint);
    const waitMs = Math.max(leastMs, this.#backoffMs(tries));
    if (waitMs === 0) {
      this.#again();
      return;
    }
    this.dropAttempt(StreamErrorCode.CANCEL);
    tries.pausing = true;
    this.nowMs = this.engine.clock.monotonicMs();
    this.untimeTry();
    tries.pause ??= new WheelTimer(() => {
      tries.pausing = false;
      if (!this.finished) this.#again();
    });
    this.engine.wheel.schedule(tries.pause, waitMs);
  }

  #backoffMs({ tried, retries }: Tries): number {
    const { cluster } = this;
    if (cluster === undefined) return 0;
    return backoffBefore(cluster.resilience, {
      routeMs: this.rule?.retry?.backoffMs,
      retry: retries,
      hasOther: cluster.endpoints.usable.some((endpoint) => !tried.includes(endpoint)),
      random: this.engine.random(),
    });
  }

  #again(): void {
    this.dropAttempt(StreamErrorCode.CANCEL);
    this.nowMs = this.engine.clock.monotonicMs();
    this.untimeTry();
    if (this.cluster !== undefined) this.balance(this.cluster);
    else this.egress();
  }

  protected override goOnAfterTimeout(): boolean {
    const tries = this.#tries;
    if (tries?.hedge !== undefined) {
      this.dropAttempt(StreamErrorCode.CANCEL);
      this.#useHedge(tries, tries.hedge);
      return true;
    }
    const named = this.rule?.retry?.codes.includes(GATEWAY_TIMEOUT) === true;
    const repeatable = named || this.#isRepeatable;
    if (this.status !== 0 || !repeatable || !this.#retriesOn(RETRY_ON.timeout) || !this.#mayRetry()) return false;
    this.#retry();
    return true;
  }

  // Two tries at a time.

  protected override hedge(): void {
    const { cluster, attempt, endpoint: first } = this;
    if (cluster === undefined || first === undefined || attempt === undefined || attempt.responded) return;
    if (!this.bodyless || this.status !== 0 || this.affinity !== undefined) return;
    if (this.#tries?.hedge !== undefined) return;
    const tried = [...(this.#tries?.tried ?? NOTHING_TRIED), first];
    const endpoint = cluster.endpoints.pick(this.nowMs, tried);
    // The same instance would be no quicker.
    if (endpoint === undefined || tried.includes(endpoint)) return;
    if (endpoint.targetPort(this.servicePort) === 0 || endpoint.limiter?.tryEnter() === false) return;
    if (!cluster.budget.tryTake(this.nowMs)) {
      endpoint.limiter?.cancel();
      return;
    }
    const { name, help } = metricNames.HEDGES;
    this.engine.metrics.counter(name, help, { service: cluster.service }).add(1);
    endpoint.inflight++;
    const pool = endpoint.pool(this.servicePort, this.protocol, this.isGrpc);
    const second = new Attempt(this, pool, this.nowMs);
    this.attempts++;
    (this.#tries ??= new Tries()).hedge = { attempt: second, endpoint, limiter: endpoint.limiter };
    pool.acquire(second);
  }

  /** The second try takes the place of the first one, which is over. */
  #useHedge(tries: Tries, { attempt, endpoint, limiter }: Hedge): void {
    tries.hedge = undefined;
    this.#endpointDone();
    this.attempt = attempt;
    this.endpoint = endpoint;
    this.#charged = true;
    if (limiter !== undefined) (this.load ??= new CountedLoad()).endpointLimiter = limiter;
    const { tryMs } = this;
    if (tryMs > 0) this.time(Timed.TRY, attempt.startedMs + tryMs);
  }

  #dropHedge(tries: Tries): void {
    const { hedge } = tries;
    if (hedge === undefined) return;
    tries.hedge = undefined;
    hedge.attempt.abandon(StreamErrorCode.CANCEL, true);
    hedge.endpoint.inflight--;
    hedge.limiter?.cancel();
  }

  /** One of two tries failed before any answer: the other one goes on alone. False when there is only one. */
  #goOnWithOther(attempt: Attempt, blame: boolean): boolean {
    const tries = this.#tries;
    const hedge = tries?.hedge;
    if (tries === undefined || hedge === undefined || this.finished) return false;
    const isSecond = attempt === hedge.attempt;
    const endpoint = isSecond ? hedge.endpoint : this.endpoint;
    if (blame && endpoint !== undefined) this.cluster?.recordFailure(endpoint);
    if (isSecond) this.#dropHedge(tries);
    else {
      this.dropAttempt(StreamErrorCode.CANCEL);
      this.#useHedge(tries, hedge);
    }
    return true;
  }

  override attemptNotOpened(attempt: Attempt, cause: string, overloaded: boolean): void {
    if (this.#goOnWithOther(attempt, !overloaded)) return;
    super.attemptNotOpened(attempt, cause, overloaded);
  }

  override attemptResponse(attempt: Attempt, head: ResponseHead, end: boolean): void {
    const tries = this.#tries;
    if (tries?.hedge !== undefined && this.#settledByOther(tries, attempt, { head, end })) return;
    super.attemptResponse(attempt, head, end);
  }

  /** The first answer of two tries: its try goes on alone. True when it is not good enough, and the other one goes on. */
  #settledByOther(
    tries: Tries,
    attempt: Attempt,
    answer: { readonly head: ResponseHead; readonly end: boolean },
  ): boolean {
    if (this.#isRetryable(answer.head, answer.end) && this.#goOnWithOther(attempt, true)) return true;
    const { hedge } = tries;
    if (hedge !== undefined && attempt === hedge.attempt) {
      this.dropAttempt(StreamErrorCode.CANCEL);
      this.#useHedge(tries, hedge);
    } else this.#dropHedge(tries);
    return false;
  }

  override attemptReset(attempt: Attempt, code: number, cause: string): void {
    if (this.#goOnWithOther(attempt, true)) return;
    super.attemptReset(attempt, code, cause);
  }
}

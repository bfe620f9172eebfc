// A request of the hosted application to some service: route, balance, connect, retry.

import type { CircuitBreaker, GradientLimiter } from "@ripstop/balance";
import type { ErrorKind } from "@ripstop/core";
import { ResponseHead, StreamErrorCode, type HeaderList, type RequestHead, type ServerStream } from "@ripstop/http";
import { Protocol } from "@ripstop/model";
import { chooseBackend, splitTarget, type CompiledRule } from "@ripstop/routing";
import { isLoopback, parseAuthority, type HostPort } from "../2-identify/authority.ts";
import type { HostEntry, HostWaiter } from "../4-route/host-table.ts";
import { AppliedFilters, type MirrorCopy } from "../5-filter/applied-filters.ts";
import { canonicalTarget, REFUSED_PATH } from "../5-filter/canonical-path.ts";
import { applyOutboundDuties, declareHttp2, removeOutboundFields, undeclareHttp2 } from "../5-filter/request-duties.ts";
import { Affinity } from "../6-balance/affinity.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import { backendOfSession } from "../6-balance/session-backend.ts";
import { RETRY_ON, type ResilienceSettings } from "../6-balance/resilience-settings.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import {
  bodyTimedOut,
  configNotReceived,
  connectFailed,
  connectTimedOut,
  deadlinePassed,
  headerTimedOut,
  invalidBackend,
  invalidPath,
  missingHost,
  noRouteMatched,
  requestTimedOut,
  streamIdle,
  tooManyWaiting,
  tooManyExchanges,
  tryTimedOut,
  unknownHost,
  unknownServicePort,
  upstreamReset,
} from "../errors.ts";
import type { OutboundContext } from "../1-accept/outbound-context.ts";
import { closeCause, WheelTimer } from "@ripstop/net";
import { metricNames } from "@ripstop/telemetry";
import type { Edge } from "../telemetry/edge.ts";
import { recordExchange } from "../telemetry/record-exchange.ts";
import { Attempt, type Hedge } from "./attempt.ts";
import type {
  AskedFor,
  BackendSource,
  DeclaredTarget,
  EdgeEntry,
  ExchangeStart,
  RouteRules,
} from "./exchange-start.ts";
import { ExchangeTimer, type Timed } from "./exchange-timer.ts";
import { HttpExchange, MAX_EXCHANGES, type AttemptFailure } from "./http-exchange.ts";
import type { HttpPool } from "./http-pool.ts";
import { tooManyPending, tooManyRequests, tooSlowForMore } from "./load-refusals.ts";
import { isGrpc, refusal, type Refusal } from "./local-reply.ts";
import { MirrorComparison } from "../mirror/mirror-comparison.ts";
import { mirroredRequests } from "./mirrored-request.ts";
import { noInstance, noSuchPort, notOutside } from "./outbound-refusals.ts";
import { allowedMs, inheritedMs, NO_LIMIT, writeAllowed } from "./request-deadline.ts";
import { reportTimeout } from "./report-timeout.ts";
import { retryAfterMs } from "./retry-after.ts";
import {
  backoffBefore,
  bareGrpcStatus,
  isIdempotent,
  isRepeatable,
  isRetryableStatus,
  wantsRetryOf,
} from "./retry-rules.ts";

const CONFIG_WAIT_MS = 5_000;
const NOTHING_TRIED: readonly UpstreamEndpoint[] = [];
const GATEWAY_TIMEOUT = 504;
/** What a dial says that took too long. */
const NO_ANSWER = closeCause("ETIMEDOUT").message;
/** Idleness is looked at so often within its time-out. */
const IDLE_LOOKS = 4;

/** An outbound exchange. Make it, then call `start`. */
export class OutboundExchange extends HttpExchange implements HostWaiter {
  readonly #context: OutboundContext;
  /** The declared upstream that the connection was made to; undefined for the HTTP proxy. */
  readonly #declared: DeclaredTarget | undefined;
  /** Made when a time-out applies. */
  #timer: ExchangeTimer | undefined = undefined;
  #host: HostEntry | undefined = undefined;
  #waiting = false;
  #target: HostPort = { host: "", port: 0 };
  #rule: CompiledRule | undefined = undefined;
  /** Undefined when neither the rule nor the backend has any. */
  #filters: AppliedFilters | undefined = undefined;
  #cluster: Cluster | undefined = undefined;
  #servicePort = 0;
  #protocol: Protocol = Protocol.UNSPECIFIED;
  #endpoint: UpstreamEndpoint | undefined = undefined;
  #endpointCharged = false;
  readonly #clientAddress: string;
  /** Undefined when neither the rule nor the service has sessions, hash keys or subsets. */
  #affinity: Affinity | undefined = undefined;
  #tried: UpstreamEndpoint[] | undefined = undefined;
  #retries = 0;
  #usedFreeRetry = false;
  /** Runs between two tries when the route wants a backoff. */
  #pause: WheelTimer | undefined = undefined;
  #pausing = false;
  #isGrpc = false;
  #timeoutMs = 0;
  /** #timeoutMs is what the client asked for. */
  #isClientsDeadline = false;
  #tlsVersion = "";
  /** A second try beside the first one. */
  #hedge: Hedge | undefined = undefined;
  /** Limits that this exchange was counted in by. */
  #breaker: CircuitBreaker | undefined = undefined;
  #limiter: GradientLimiter | undefined = undefined;
  #endpointLimiter: GradientLimiter | undefined = undefined;
  #countedRetries = 0;
  /** From the start to the head of the answer; -1 before. */
  #headMs = -1;
  #wasSlow = false;
  /** Bytes that had passed when idleness was looked at last, and how often in a row none had. */
  #idleMark = 0;
  #idleLooks = 0;

  /** The gateway that the request came in by; undefined for those of the application. */
  readonly #edgeEntry: EdgeEntry | undefined;
  /** What is judged again when policies change, as the client sent it. */
  #asked: AskedFor | undefined = undefined;

  constructor(context: OutboundContext, downstream: ServerStream, head: RequestHead, options: ExchangeStart) {
    super(context.engine, downstream, head, options.end);
    this.#context = context;
    this.#declared = options.declared;
    this.#clientAddress = options.clientAddress;
    this.#edgeEntry = options.edge;
  }

  /** Runs the stages. */
  start(): void {
    const request = this.request;
    const target = canonicalTarget(request.path);
    this.#edgeEntry?.prepare(request);
    applyOutboundDuties(request, this.#context.sourceService, this.engine.ids);
    if (this.engine.live.exchanges > MAX_EXCHANGES) {
      this.refuse(refusal(tooManyExchanges, `${MAX_EXCHANGES} requests are under way`));
      return;
    }
    if (target === REFUSED_PATH) {
      this.refuse(refusal(invalidPath, "the path is ambiguous and was not passed on"));
      return;
    }
    request.path = target;
    const authority = parseAuthority(request.authority);
    if (this.#declared !== undefined) {
      this.#target = this.#declared;
      // The application wrote the loopback address that it was given: the service gets its own name.
      if (authority === undefined || isLoopback(authority.host)) {
        request.authority = this.#declared.authority;
      }
    } else if (authority === undefined) {
      this.refuse(refusal(missingHost, "the request names no host"));
      return;
    } else {
      this.#target = authority;
    }
    if (this.answeredAsLast()) return;
    if (request.scheme === "") request.scheme = "http";
    this.#isGrpc = isGrpc(request);
    if (this.#edgeEntry !== undefined) {
      this.#enter(this.#edgeEntry);
      return;
    }
    const host = this.#context.hosts.lookup(this.#target.host, this.startedMs);
    if (host === undefined) {
      this.refuse(refusal(tooManyWaiting, "too many host names are in use"));
      return;
    }
    this.#host = host;
    if (host.ready) {
      this.#route(host);
      return;
    }
    if (!this.#context.hosts.wait(host, this)) {
      this.refuse(refusal(tooManyWaiting, `too many requests wait for the config of ${this.#target.host}`));
      return;
    }
    this.#waiting = true;
    this.#time("config", this.startedMs + CONFIG_WAIT_MS);
  }

  /** A request from outside: judged first, then routed by what is attached to the listener. */
  #enter(edge: EdgeEntry): void {
    const { path, query } = splitTarget(this.request.path);
    this.#asked = { host: this.#target.host, path, query };
    edge.exchanges.add(this);
    const refused = edge.judge(this.request, this.#asked) ?? edge.admit();
    if (refused !== undefined) {
      this.refuse(refused);
      return;
    }
    const rules = edge.rulesFor(this.#target.host);
    if ("kind" in rules) this.refuse(rules);
    else this.#follow(rules, edge, edge.port);
  }

  /** Judges again after policies changed, and ends what is refused now. Only what came in by a gateway is judged here. */
  recheck(): void {
    if (this.finished || this.#edgeEntry === undefined || this.#asked === undefined) return;
    const refused = this.#edgeEntry.judge(this.request, this.#asked);
    if (refused !== undefined) this.abort(refused);
  }

  protected override shown(refused: Refusal): Refusal {
    if (this.#edgeEntry === undefined) return refused;
    // Who calls from outside learns what went wrong, but neither addresses nor names of policies.
    return { ...refused, message: refused.kind.title, policy: "", clause: "" };
  }

  onHostReady(host: HostEntry): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#timer?.clear("config");
    this.nowMs = this.engine.clock.monotonicMs();
    if (!this.finished) this.#route(host);
  }

  #route(host: HostEntry): void {
    const frontend = host.frontend;
    if (frontend === undefined) {
      this.#egress();
      return;
    }
    const port = frontend.cluster.port(this.#target.port);
    if (port === undefined) {
      this.refuse(noSuchPort(frontend, this.#target.port));
      return;
    }
    this.#servicePort = port.port;
    this.#protocol = port.protocol;
    const matcher = frontend.matcher?.forPort(port.port);
    if (matcher === undefined) this.#send(frontend.cluster, frontend);
    else this.#follow(matcher, frontend, port.port);
  }

  /** Goes where the rule that matches says; `port` is the one that the request came in on. */
  #follow(rules: RouteRules, backends: BackendSource, port: number): void {
    const { path, query } = splitTarget(this.request.path);
    const { method, headers } = this.request;
    const rule = rules.match({ host: this.#target.host, method, path, query, headers });
    if (rule === undefined) {
      this.refuse(refusal(noRouteMatched, `no route of ${backends.service} matches ${method} ${path}`));
      return;
    }
    this.#rule = rule;
    const ofSession =
      rule.sessionPersistence === undefined
        ? -1
        : backendOfSession(rule, headers, { backends, nowMs: this.engine.clock.nowMs() });
    const backend = rule.backends[ofSession >= 0 ? ofSession : chooseBackend(rule, this.engine.random())];
    const own = backend?.filters;
    if (rule.filters !== undefined || own !== undefined) {
      this.#filters = new AppliedFilters(rule.filters, backend?.invalid === "" ? own : undefined);
      if (this.#answered(this.#filters, port)) return;
    }
    if (backend === undefined || backend.service === "") {
      const why = backend === undefined ? "the rule has no backends" : backend.invalid;
      this.refuse(refusal(invalidBackend, `${rule.source}: ${why}`));
      return;
    }
    this.#servicePort = backend.port === 0 ? port : backend.port;
    const cluster = backends.backend(backend.service);
    if (cluster === undefined) {
      this.refuse(refusal(configNotReceived, `the config of ${backend.service} has not arrived`));
      return;
    }
    this.#protocol = cluster.port(this.#servicePort)?.protocol ?? this.#protocol;
    this.#send(cluster, backends);
  }

  #send(cluster: Cluster, backends: BackendSource): void {
    this.#cluster = cluster;
    if (cluster.guarded && !this.#admit(cluster)) return;
    cluster.budget.recordRequest();
    if (!this.#limitTime(cluster)) return;
    const persistence = this.#rule?.sessionPersistence;
    if (cluster.keyed || persistence !== undefined) {
      const caller = { address: this.#clientAddress, identity: this.#context.spiffeId };
      const nowMs = this.engine.clock.nowMs();
      this.#affinity = new Affinity(this.request, { cluster, persistence, caller, nowMs });
    }
    if (this.#filters === undefined) {
      this.#balance(cluster);
      return;
    }
    const copies = this.#filters.editRequest(this.request, this.engine.random);
    this.#balance(cluster);
    if (copies.length > 0) this.#mirror(copies, backends);
  }

  /** Counts the request in, or refuses it when too much is under way to the service. */
  #admit({ breaker, limiter, service }: Cluster): boolean {
    if (breaker?.tryEnter() === false) {
      this.#refuseForLoad("circuit", tooManyRequests(service, breaker));
      return false;
    }
    this.#breaker = breaker;
    if (limiter?.tryEnter() === false) {
      this.#refuseForLoad("concurrency", tooSlowForMore(service, limiter));
      return false;
    }
    this.#limiter = limiter;
    return true;
  }

  #refuseForLoad(limit: string, refused: Refusal): void {
    const { name, help } = metricNames.LOAD_REFUSALS;
    this.engine.metrics.counter(name, help, { service: this.#cluster?.service ?? "", limit }).add(1);
    this.refuse(refused);
  }

  /** The time for the whole request: the route's, else the policy's; the caller's own when that is nearer. */
  #limitTime(cluster: Cluster): boolean {
    const { headers } = this.request;
    this.#timeoutMs = this.#rule?.requestTimeoutMs || cluster.settings.requestTimeoutMs;
    const inherited = inheritedMs(headers, this.#context.deadlines, this.startedMs);
    const allowed = Math.min(allowedMs(headers, this.#isGrpc), inherited);
    if (allowed < NO_LIMIT && (this.#timeoutMs === 0 || allowed < this.#timeoutMs)) {
      this.#timeoutMs = allowed;
      this.#isClientsDeadline = true;
      if (allowed <= this.nowMs - this.startedMs) {
        this.refuse(refusal(deadlinePassed, `the caller allows ${Math.floor(allowed)} ms more, and they are over`));
        return false;
      }
    }
    if (this.#timeoutMs > 0) this.#time("request", this.startedMs + this.#timeoutMs);
    return true;
  }

  /** Whether a filter answered in place of the service. */
  #answered(filters: AppliedFilters, servicePort: number): boolean {
    const answer = filters.answer(this.request, servicePort);
    if (answer === undefined) return false;
    if (answer instanceof ResponseHead) this.answer(answer);
    else this.refuse(answer);
    return true;
  }

  /** Sends the copies; the request itself is on its way already. */
  #mirror(copies: readonly MirrorCopy[], backends: BackendSource): void {
    const whole = this.replayable && !this.finished;
    const comparison = new MirrorComparison(this.engine.mirrors, this.engine.random());
    const { sourceService: source } = this.#context;
    const primary = this.#cluster?.service ?? "";
    const mirrors = mirroredRequests(this.engine, copies, {
      find: (service) => (whole ? backends.backend(service) : undefined),
      watch: (mirror) => comparison.watch({ source, primary, mirror }),
    });
    if (mirrors.length > 0) this.answerWatch = comparison.primary;
    if (mirrors.length > 0) this.mirrorTo(mirrors);
  }

  #balance(cluster: Cluster): void {
    const tried = this.#tried ?? NOTHING_TRIED;
    const picked =
      this.#affinity === undefined ? cluster.endpoints.pick(this.nowMs, tried) : this.#affinity.pick(this.nowMs, tried);
    if (picked === undefined) {
      this.refuse(noInstance(cluster, this.#affinity?.subset ?? ""));
      return;
    }
    const endpoint = picked.limiter === undefined ? picked : this.#withinLimit(cluster, picked);
    if (endpoint === undefined) {
      this.#refuseForLoad("concurrency", tooSlowForMore(cluster.service));
      return;
    }
    const port = endpoint.targetPort(this.#servicePort);
    if (port === 0) {
      endpoint.limiter?.cancel();
      this.refuse(
        refusal(unknownServicePort, `${endpoint.id} does not serve port ${this.#servicePort} of ${cluster.service}`),
      );
      return;
    }
    if (!endpoint.mesh) removeOutboundFields(this.request);
    if (this.#protocol === Protocol.HTTP2 || this.#protocol === Protocol.GRPC) this.#sayHttp2(endpoint.mesh);
    this.#endpoint = endpoint;
    this.#endpointLimiter = endpoint.limiter;
    endpoint.inflight++;
    this.#endpointCharged = true;
    const pool = endpoint.pool(port, this.#protocol, this.#isGrpc);
    const { maxPending } = cluster.resilience;
    if (maxPending > 0 && pool.waiting >= maxPending) {
      this.#endpointDone();
      this.#refuseForLoad("pending", tooManyPending(endpoint, pool));
      return;
    }
    this.#connect(pool);
  }

  /** A peer's proxy may not know what the service's port is declared as. A gRPC call says so itself. */
  #sayHttp2(isMesh: boolean): void {
    if (this.#isGrpc) return;
    if (isMesh) declareHttp2(this.request);
    else undeclareHttp2(this.request);
  }

  /** One more request at the instance, or at another one that takes it; undefined when none does. */
  #withinLimit(cluster: Cluster, picked: UpstreamEndpoint): UpstreamEndpoint | undefined {
    if (picked.limiter?.tryEnter() !== false) return picked;
    // What belongs to one instance is not given to another.
    if (this.#affinity !== undefined) return undefined;
    for (const endpoint of cluster.endpoints.usable) {
      if (this.#tried?.includes(endpoint) !== true && endpoint.limiter?.tryEnter() !== false) return endpoint;
    }
    return undefined;
  }

  #connect(pool: HttpPool): void {
    const attempt = this.startAttempt(pool);
    const resilience = this.#cluster?.resilience;
    const tryMs = this.#rule?.backendTimeoutMs || (resilience?.perTryTimeoutMs ?? 0);
    if (tryMs > 0) this.#time("try", this.nowMs + tryMs);
    if (resilience?.timesTries === true) this.#timeTry(resilience);
    pool.acquire(attempt);
  }

  #timeTry({ headerTimeoutMs, streamIdleMs, hedgeDelayMs }: ResilienceSettings): void {
    if (headerTimeoutMs > 0) this.#time("header", this.nowMs + headerTimeoutMs);
    if (streamIdleMs > 0) this.#watchIdle(streamIdleMs);
    const hedgeMs = hedgeDelayMs || (this.#cluster?.latencies?.ms ?? 0);
    if (hedgeMs > 0 && this.attempts === 1 && isIdempotent(this.request.method))
      this.#time("hedge", this.nowMs + hedgeMs);
  }

  /** Looks several times within `idleMs` whether anything passed: nothing is counted while bytes pass. */
  #watchIdle(idleMs: number): void {
    this.#idleMark = this.bytesSent + this.bytesReceived;
    this.#idleLooks = 0;
    this.#time("idle", this.nowMs + idleMs / IDLE_LOOKS);
  }

  #egress(): void {
    const { host, port } = this.#target;
    const target = { host, port: port === 0 ? (this.request.scheme === "https" ? 443 : 80) : port };
    const refused =
      notOutside(target, { isProxy: this.#context.isOwnAddress(target), scheme: this.request.scheme }) ??
      (this.attempts === 0 ? this.#context.egress.check(target, "http") : undefined);
    if (refused !== undefined) {
      this.refuse(refused);
      return;
    }
    removeOutboundFields(this.request);
    this.#connect(this.#context.egressPool(target));
  }

  protected override editResponse(head: ResponseHead): void {
    this.#tlsVersion = this.attempt?.connection?.tlsVersion ?? "";
    if (this.#endpoint?.mesh !== true) this.distrustAnswer(head);
    this.#filters?.editResponse(head.headers);
    const attempt = this.attempt;
    if (attempt === undefined || this.#endpoint === undefined || this.#cluster === undefined) return;
    const now = this.engine.clock.monotonicMs();
    this.#headMs = now - this.startedMs;
    if (this.#timer !== undefined) this.#headCame(this.#timer, now);
    this.#cluster.latencies?.record(now - attempt.startedMs);
    this.#cluster.noteResponse(this.#endpoint, head.status, head.headers);
    this.#affinity?.editResponse(head.headers, this.#endpoint);
    const failed = isRetryableStatus(head.status) || (this.#isGrpc && head.headers.get("grpc-status") === "14");
    this.#endpoint.recordLatency(now - attempt.startedMs, now, failed);
    if (failed) this.#cluster.recordFailure(this.#endpoint);
    else this.#cluster.recordSuccess(this.#endpoint, now);
  }

  /** From now on the body is timed; a tunnel only by its silence. */
  #headCame(timer: ExchangeTimer, nowMs: number): void {
    timer.clear("header");
    timer.clear("hedge");
    if (this.tunnel) {
      timer.clear("request");
      timer.clear("try");
      return;
    }
    const bodyMs = this.#cluster?.resilience.bodyTimeoutMs ?? 0;
    if (bodyMs > 0) timer.set("body", nowMs + bodyMs);
  }

  /** gRPC reports load in trailers. */
  override attemptTrailers(attempt: Attempt, trailers: HeaderList): void {
    if (this.#endpoint !== undefined) this.#cluster?.noteResponse(this.#endpoint, 0, trailers);
    super.attemptTrailers(attempt, trailers);
  }

  protected override retryResponse(_attempt: Attempt, head: ResponseHead, end: boolean): boolean {
    if (!this.#isRetryable(head, end)) return false;
    const leftMs = (this.#timer?.at("request") ?? NO_LIMIT) - this.engine.clock.monotonicMs();
    const waitMs = retryAfterMs(head.headers.get("retry-after"), this.engine.clock.nowMs());
    if (waitMs > (this.#cluster?.resilience.maxRetryAfterMs ?? 0) || waitMs >= leftMs) return false;
    if (!this.#mayRetry()) return false;
    if (this.#endpoint !== undefined) {
      this.#cluster?.noteResponse(this.#endpoint, head.status, head.headers);
      if (this.#isGrpc || isRetryableStatus(head.status)) this.#cluster?.recordFailure(this.#endpoint);
    }
    this.#retry(waitMs);
    return true;
  }

  protected override attemptFailed(attempt: Attempt, failure: AttemptFailure): void {
    this.#endpointDone();
    const stale = attempt.reused && !attempt.responded && !failure.notSent && isIdempotent(this.request.method);
    if (stale && !this.#usedFreeRetry && this.replayable) {
      // The peer closed a kept-alive connection just as it was used again: nobody's fault.
      this.#usedFreeRetry = true;
      this.#again();
      return;
    }
    // A connection that could not be made is no load on the service: such a retry is not a matter of the budget.
    const unconnected = failure.notSent && attempt.stream === undefined && !failure.overloaded;
    if (this.#endpoint !== undefined && !failure.overloaded) {
      this.#cluster?.recordFailure(this.#endpoint, unconnected);
    }
    if (unconnected ? this.#retriesOn(RETRY_ON.connectFailure) : this.#repeats(failure) && this.#mayRetry()) {
      this.#retry();
      return;
    }
    const address = attempt.pool.address;
    if (failure.overloaded) this.refuse(this.explainOverload(address, failure.cause));
    else if (!failure.notSent)
      this.refuse(refusal(upstreamReset, `${this.#where(address)} broke off: ${failure.cause}`));
    else if (this.#cluster === undefined) {
      this.refuse(
        refusal(
          unknownHost,
          `${this.#target.host} is not a service of the mesh, and ${address} is not reachable: ${failure.cause}`,
        ),
      );
    } else {
      const kind = failure.cause === NO_ANSWER ? connectTimedOut : connectFailed;
      if (kind === connectTimedOut) this.#reportTimeout(kind, this.#cluster.settings.connectTimeoutMs);
      this.refuse(refusal(kind, `${this.#where(address)} is not reachable: ${failure.cause}`));
    }
  }

  /** Whether the policy tries again on this condition; a route that has a policy of its own always does. */
  #retriesOn(condition: number): boolean {
    if (!this.#hasRetries) return false;
    return this.#rule?.retry !== undefined || ((this.#cluster?.resilience.retryOn ?? 0) & condition) !== 0;
  }

  #repeats({ notSent, overloaded }: AttemptFailure): boolean {
    if (overloaded) return false;
    if (notSent) return this.#retriesOn(RETRY_ON.refusedStream);
    return this.#isRepeatable && this.#retriesOn(RETRY_ON.reset);
  }

  get #isRepeatable(): boolean {
    return isRepeatable(this.request.method, this.#cluster?.resilience);
  }

  #where(address: string): string {
    return this.#endpoint === undefined ? address : `${this.#endpoint.id} at ${address}`;
  }

  /**
   * A gRPC call that the server did not process; else the statuses that the route lists, whatever the method; else those of
   * the policy, when the method is safe to repeat.
   */
  #isRetryable(head: ResponseHead, end: boolean): boolean {
    const resilience = this.#cluster?.resilience;
    if (resilience === undefined) return false;
    if (this.#isGrpc && resilience.retryGrpcStatuses.includes(bareGrpcStatus(head.headers, end))) return true;
    const policy = this.#rule?.retry;
    if (policy !== undefined) return policy.codes.includes(head.status);
    return wantsRetryOf(head.status, resilience) && this.#isRepeatable;
  }

  get #hasRetries(): boolean {
    if (this.#cluster === undefined || !this.replayable) return false;
    return this.#retries < (this.#rule?.retry?.attempts || this.#cluster.settings.maxRetries);
  }

  /** Takes a retry out of the budget if there is one. */
  #mayRetry(): boolean {
    if (!this.#hasRetries) return false;
    if (this.#breaker?.tryRetry() === false) return false;
    if (this.#cluster?.budget.tryTake(this.engine.clock.monotonicMs()) !== true) {
      this.#breaker?.endRetries(1);
      return false;
    }
    if (this.#breaker !== undefined) this.#countedRetries++;
    return true;
  }

  /** `leastMs`: what the service asked to wait. */
  #retry(leastMs: number = 0): void {
    this.#retries++;
    if (this.#endpoint !== undefined) (this.#tried ??= []).push(this.#endpoint);
    const waitMs = Math.max(leastMs, this.#backoffMs());
    if (waitMs === 0) {
      this.#again();
      return;
    }
    this.dropAttempt(StreamErrorCode.CANCEL);
    this.#pausing = true;
    this.nowMs = this.engine.clock.monotonicMs();
    this.#timer?.clearTry();
    this.#pause ??= new WheelTimer(() => this.#resume());
    this.engine.wheel.schedule(this.#pause, waitMs);
  }

  #backoffMs(): number {
    const cluster = this.#cluster;
    if (cluster === undefined) return 0;
    return backoffBefore(cluster.resilience, {
      routeMs: this.#rule?.retry?.backoffMs,
      retry: this.#retries,
      hasOther: cluster.endpoints.usable.some((endpoint) => this.#tried?.includes(endpoint) !== true),
      random: this.engine.random(),
    });
  }

  #resume(): void {
    this.#pausing = false;
    if (!this.finished) this.#again();
  }

  #again(): void {
    this.dropAttempt(StreamErrorCode.CANCEL);
    this.nowMs = this.engine.clock.monotonicMs();
    this.#timer?.clearTry();
    if (this.#cluster !== undefined) this.#balance(this.#cluster);
    else this.#egress();
  }

  protected override attemptDone(_attempt: Attempt): void {
    this.#endpointDone();
  }

  #endpointDone(): void {
    if (!this.#endpointCharged || this.#endpoint === undefined) return;
    this.#endpointCharged = false;
    this.#endpoint.inflight--;
    this.#leave(this.#endpointLimiter, this.nowMs);
    this.#endpointLimiter = undefined;
  }

  /** Counts out of an adaptive limit. Who said nothing, for no fault of the service, says nothing about latency. */
  #leave(limiter: GradientLimiter | undefined, sinceMs: number): void {
    if (limiter === undefined) return;
    const now = this.engine.clock.monotonicMs();
    if (this.#wasSlow) limiter.leave(now - sinceMs, now, true);
    else if (this.#headMs >= 0) limiter.leave(this.startedMs + this.#headMs - sinceMs, now, false);
    else limiter.cancel();
  }

  #time(timed: Timed, atMs: number): void {
    this.#timer ??= new ExchangeTimer(this.engine, (due) => this.#onDue(due));
    this.#timer.set(timed, atMs);
  }

  #onDue(timed: Timed): void {
    if (this.finished) return;
    this.nowMs = this.engine.clock.monotonicMs();
    switch (timed) {
      case "config":
        return this.#configMissing();
      case "hedge":
        return this.#startHedge();
      case "idle":
        return this.#lookAtIdle();
      case "try":
      case "header":
        return this.#tryTimedOut(timed);
      case "body":
        this.#expire(bodyTimedOut, this.#cluster?.resilience.bodyTimeoutMs ?? 0, "did not end its answer within");
        return;
      case "request":
        // A client that allows too little time says nothing about the endpoint.
        if (!this.#isClientsDeadline && !this.#pausing) this.#blame();
        this.#expire(requestTimedOut, this.#timeoutMs, "did not answer within");
    }
  }

  #configMissing(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    if (this.#host !== undefined) this.#context.hosts.cancelWait(this.#host, this);
    this.refuse(
      refusal(configNotReceived, `the config of ${this.#target.host} did not arrive within ${CONFIG_WAIT_MS} ms`),
    );
  }

  #lookAtIdle(): void {
    const idleMs = this.#cluster?.resilience.streamIdleMs ?? 0;
    if (this.bytesSent + this.bytesReceived !== this.#idleMark) {
      this.#watchIdle(idleMs);
    } else if (++this.#idleLooks < IDLE_LOOKS) {
      this.#time("idle", this.nowMs + idleMs / IDLE_LOOKS);
    } else {
      this.#expire(streamIdle, idleMs, "and its client sent nothing for");
    }
  }

  /** One try took too long: another one follows if it may. */
  #tryTimedOut(timed: "try" | "header"): void {
    this.#blame();
    if (this.#hedge !== undefined) {
      this.dropAttempt(StreamErrorCode.CANCEL);
      this.#useHedge(this.#hedge);
      return;
    }
    const named = this.#rule?.retry?.codes.includes(GATEWAY_TIMEOUT) === true;
    const repeatable = named || this.#isRepeatable;
    if (this.status === 0 && repeatable && this.#retriesOn(RETRY_ON.timeout) && this.#mayRetry()) {
      this.#retry();
      return;
    }
    const { perTryTimeoutMs = 0, headerTimeoutMs = 0 } = this.#cluster?.resilience ?? {};
    if (timed === "try")
      this.#expire(tryTimedOut, this.#rule?.backendTimeoutMs || perTryTimeoutMs, "did not answer within");
    else this.#expire(headerTimedOut, headerTimeoutMs, "did not begin its answer within");
  }

  #blame(): void {
    if (this.#endpoint !== undefined) this.#cluster?.recordFailure(this.#endpoint);
  }

  /** Ends the exchange by a time-out, which is said in the answer, the log and the metrics. */
  #expire(kind: ErrorKind, limitMs: number, what: string): void {
    this.#wasSlow = !this.#isClientsDeadline;
    this.#reportTimeout(kind, limitMs);
    const retried = this.#retries > 0 ? ", with its retries" : "";
    this.timedOut(kind, `${this.#where(this.#target.host)} ${what} ${Math.floor(limitMs)} ms${retried}`);
  }

  #reportTimeout(kind: ErrorKind, limitMs: number): void {
    if (this.#cluster === undefined) return;
    const endpoint = this.#endpoint?.id ?? "";
    reportTimeout(this.engine, this.#cluster, { kind, limitMs, endpoint, route: this.#rule?.source ?? "" });
  }

  /** The next hop hears how much time is left; what is too late is not sent. */
  protected override beforeSend(): boolean {
    const timer = this.#timer;
    if (timer === undefined) return true;
    const now = this.engine.clock.monotonicMs();
    const leftMs = Math.min(timer.at("request"), timer.at("try")) - now;
    if (leftMs === Number.POSITIVE_INFINITY) return true;
    if (timer.at("request") <= now) {
      this.refuse(
        refusal(deadlinePassed, `${Math.floor(this.#timeoutMs)} ms were over before the request could be sent`),
      );
      return false;
    }
    writeAllowed(this.request.headers, leftMs, this.#isGrpc);
    return true;
  }

  // Two tries at a time.

  #startHedge(): void {
    const cluster = this.#cluster;
    const first = this.#endpoint;
    const { attempt } = this;
    if (cluster === undefined || first === undefined || attempt === undefined || attempt.responded) return;
    if (!this.bodyless || this.#hedge !== undefined || this.status !== 0 || this.#affinity !== undefined) return;
    const tried = [...(this.#tried ?? NOTHING_TRIED), first];
    const endpoint = cluster.endpoints.pick(this.nowMs, tried);
    // The same instance would be no quicker.
    if (endpoint === undefined || tried.includes(endpoint)) return;
    const port = endpoint.targetPort(this.#servicePort);
    if (port === 0 || endpoint.limiter?.tryEnter() === false) return;
    if (!cluster.budget.tryTake(this.nowMs)) {
      endpoint.limiter?.cancel();
      return;
    }
    const { name, help } = metricNames.HEDGES;
    this.engine.metrics.counter(name, help, { service: cluster.service }).add(1);
    endpoint.inflight++;
    const pool = endpoint.pool(port, this.#protocol, this.#isGrpc);
    const second = new Attempt(this, pool, this.nowMs);
    this.attempts++;
    this.#hedge = { attempt: second, endpoint, limiter: endpoint.limiter };
    pool.acquire(second);
  }

  /** The second try takes the place of the first one, which is over. */
  #useHedge({ attempt, endpoint, limiter }: Hedge): void {
    this.#hedge = undefined;
    this.#endpointDone();
    this.attempt = attempt;
    this.#endpoint = endpoint;
    this.#endpointCharged = true;
    this.#endpointLimiter = limiter;
    const tryMs = this.#rule?.backendTimeoutMs || (this.#cluster?.resilience.perTryTimeoutMs ?? 0);
    if (tryMs > 0) this.#time("try", attempt.startedMs + tryMs);
  }

  #dropHedge(): void {
    const hedge = this.#hedge;
    if (hedge === undefined) return;
    this.#hedge = undefined;
    hedge.attempt.abandon(StreamErrorCode.CANCEL, true);
    hedge.endpoint.inflight--;
    hedge.limiter?.cancel();
  }

  /** One of two tries failed before any answer: the other one goes on alone. False when there is only one. */
  #goOnWithOther(attempt: Attempt, blame: boolean): boolean {
    const hedge = this.#hedge;
    if (hedge === undefined || this.finished) return false;
    const isSecond = attempt === hedge.attempt;
    const endpoint = isSecond ? hedge.endpoint : this.#endpoint;
    if (blame && endpoint !== undefined) this.#cluster?.recordFailure(endpoint);
    if (isSecond) this.#dropHedge();
    else {
      this.dropAttempt(StreamErrorCode.CANCEL);
      this.#useHedge(hedge);
    }
    return true;
  }

  override attemptNotOpened(attempt: Attempt, cause: string, overloaded: boolean): void {
    if (this.#hedge !== undefined && this.#goOnWithOther(attempt, !overloaded)) return;
    super.attemptNotOpened(attempt, cause, overloaded);
  }

  override attemptResponse(attempt: Attempt, head: ResponseHead, end: boolean): void {
    const hedge = this.#hedge;
    if (hedge !== undefined) {
      if (this.#isRetryable(head, end) && this.#goOnWithOther(attempt, true)) return;
      if (attempt === hedge.attempt) {
        this.dropAttempt(StreamErrorCode.CANCEL);
        this.#useHedge(hedge);
      } else this.#dropHedge();
    }
    super.attemptResponse(attempt, head, end);
  }

  override attemptReset(attempt: Attempt, code: number, cause: string): void {
    if (this.#hedge !== undefined && this.#goOnWithOther(attempt, true)) return;
    super.attemptReset(attempt, code, cause);
  }

  protected override record(): void {
    this.#edgeEntry?.exchanges.delete(this);
    this.#timer?.cancel();
    if (this.#hedge !== undefined) this.#dropHedge();
    if (this.#breaker !== undefined) {
      this.#breaker.leave();
      this.#breaker.endRetries(this.#countedRetries);
    }
    this.#leave(this.#limiter, this.startedMs);
    if (this.#pause !== undefined) this.engine.wheel.cancel(this.#pause);
    if (this.#waiting && this.#host !== undefined) {
      this.#waiting = false;
      this.#context.hosts.cancelWait(this.#host, this);
    }
    if (this.answerWatch !== undefined) {
      const latencyMs = this.engine.clock.monotonicMs() - this.startedMs;
      if (this.clientGone) this.answerWatch.giveUp();
      else this.answerWatch.end(this.status, latencyMs, this.brokenBy === "");
    }
    recordExchange(this.engine, this.#edge(), {
      request: this.request,
      status: this.status,
      grpcStatus: this.grpcStatus,
      startedMs: this.startedMs,
      bytesSent: this.bytesSent,
      bytesReceived: this.bytesReceived,
      refused: this.refused,
      upstreamError: this.upstreamError,
      brokenBy: this.brokenBy,
      clientGone: this.clientGone,
      retries: this.#retries,
      attempts: this.attempts,
      route: this.#rule?.source ?? "",
      workload: this.#endpoint?.id ?? "",
      tlsVersion: this.#tlsVersion,
    });
  }

  #edge(): Edge {
    return this.#context.edge(
      this.#endpoint,
      this.#edgeEntry?.service ?? this.#host?.frontend?.service ?? this.#target.host,
      this.#isGrpc ? "grpc" : "http",
    );
  }
}

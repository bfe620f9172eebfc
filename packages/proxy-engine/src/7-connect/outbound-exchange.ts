// A request of the hosted application to some service: route, balance, connect, retry.

import { ResponseHead, StreamErrorCode, type HeaderList, type RequestHead, type ServerStream } from "@ripstop/http";
import { Protocol } from "@ripstop/model";
import { chooseBackend, splitTarget, type CompiledRule, type RouteRequest } from "@ripstop/routing";
import { formatAuthority, isLoopback, parseAuthority, type HostPort } from "../2-identify/authority.ts";
import type { HostEntry, HostWaiter } from "../4-route/host-table.ts";
import type { Frontend } from "../4-route/frontend.ts";
import { AppliedFilters, type MirrorCopy } from "../5-filter/applied-filters.ts";
import { canonicalTarget, REFUSED_PATH } from "../5-filter/canonical-path.ts";
import { applyOutboundDuties, removeOutboundFields } from "../5-filter/request-duties.ts";
import { Affinity } from "../6-balance/affinity.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import { backendOfSession } from "../6-balance/session-backend.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import {
  configNotReceived,
  connectFailed,
  httpsInClear,
  invalidBackend,
  invalidPath,
  missingHost,
  noHealthyEndpoint,
  noRouteMatched,
  noSuchSubset,
  proxyLoop,
  tooManyWaiting,
  tooManyExchanges,
  unknownHost,
  unknownServicePort,
  upstreamReset,
} from "../errors.ts";
import type { OutboundContext } from "../1-accept/outbound-context.ts";
import { WheelTimer } from "@ripstop/net";
import type { Edge } from "../telemetry/edge.ts";
import { recordExchange } from "../telemetry/record-exchange.ts";
import type { Attempt } from "./attempt.ts";
import { HttpExchange, MAX_EXCHANGES, type AttemptFailure } from "./http-exchange.ts";
import { grpcTimeoutMs } from "./grpc-timeout.ts";
import type { HttpPool } from "./http-pool.ts";
import { isGrpc, refusal, type Refusal } from "./local-reply.ts";
import { MirrorComparison } from "../mirror/mirror-comparison.ts";
import { mirroredRequests } from "./mirrored-request.ts";
import { isGrpcUnavailable, isIdempotent, isRetryableStatus, retryDelayMs } from "./retry-rules.ts";

const CONFIG_WAIT_MS = 5_000;
const NOTHING_TRIED: readonly UpstreamEndpoint[] = [];
const GATEWAY_TIMEOUT = 504;

/** An outbound exchange. Make it, then call `start`. */
export class OutboundExchange extends HttpExchange implements HostWaiter {
  readonly #context: OutboundContext;
  /** The declared upstream that the connection was made to; undefined for the HTTP proxy. */
  readonly #declared: DeclaredTarget | undefined;
  /** Made when a time-out applies. */
  #deadline: WheelTimer | undefined = undefined;
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
    this.#setDeadline(CONFIG_WAIT_MS);
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
    this.#clearDeadline();
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
      this.#refusePort(frontend);
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
    cluster.budget.recordRequest();
    this.#timeoutMs = this.#rule?.requestTimeoutMs || cluster.settings.requestTimeoutMs;
    if (this.#isGrpc) this.#readGrpcTimeout();
    this.#scheduleDeadline();
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
    const endpoint =
      this.#affinity === undefined ? cluster.endpoints.pick(this.nowMs, tried) : this.#affinity.pick(this.nowMs, tried);
    if (endpoint === undefined) {
      const subset = this.#affinity?.subset ?? "";
      if (subset !== "" && cluster.endpoints.usable.length > 0) {
        this.refuse(
          refusal(noSuchSubset, `no instance of ${cluster.service} is of the subset "${subset.slice(0, 64)}"`),
        );
        return;
      }
      const count = cluster.endpoints.all.length;
      const why = count === 0 ? "no instance is registered" : `none of its ${count} instances is ready`;
      this.refuse(refusal(noHealthyEndpoint, `${cluster.service} cannot answer: ${why}`));
      return;
    }
    const port = endpoint.targetPort(this.#servicePort);
    if (port === 0) {
      this.refuse(
        refusal(unknownServicePort, `${endpoint.id} does not serve port ${this.#servicePort} of ${cluster.service}`),
      );
      return;
    }
    if (!endpoint.mesh) removeOutboundFields(this.request);
    this.#endpoint = endpoint;
    endpoint.inflight++;
    this.#endpointCharged = true;
    this.#connect(endpoint.pool(port, this.#protocol, this.#isGrpc));
  }

  #connect(pool: HttpPool): void {
    const attempt = this.startAttempt(pool);
    const backendMs = this.#rule?.backendTimeoutMs ?? 0;
    if (backendMs > 0 && this.attempts > 1) this.#scheduleDeadline();
    pool.acquire(attempt);
  }

  #egress(): void {
    const { host, port } = this.#target;
    const target = { host, port: port === 0 ? (this.request.scheme === "https" ? 443 : 80) : port };
    if (this.#context.isOwnAddress(target)) {
      this.refuse(refusal(proxyLoop, `${host}:${target.port} is the proxy itself`));
      return;
    }
    if (this.request.scheme === "https") {
      this.refuse(
        refusal(httpsInClear, `${formatAuthority(host, target.port)} wants TLS, which only its client can begin`),
      );
      return;
    }
    if (this.attempts === 0) {
      const refused = this.#context.egress.check(target, "http");
      if (refused !== undefined) {
        this.refuse(refused);
        return;
      }
    }
    removeOutboundFields(this.request);
    this.#connect(this.#context.egressPool(target));
  }

  #refusePort(frontend: Frontend): void {
    const ports = frontend.cluster.config?.ports.map((port) => port.port).join(", ") ?? "";
    const has = ports === "" ? "it has none, or does not exist any more" : `it has ${ports}`;
    this.refuse(refusal(unknownServicePort, `${frontend.service} has no port ${this.#target.port || 80}: ${has}`));
  }

  protected override editResponse(head: ResponseHead): void {
    this.#tlsVersion = this.attempt?.connection?.tlsVersion ?? "";
    if (this.#endpoint?.mesh !== true) this.distrustAnswer(head);
    this.#filters?.editResponse(head.headers);
    const attempt = this.attempt;
    if (attempt === undefined || this.#endpoint === undefined || this.#cluster === undefined) return;
    const now = this.engine.clock.monotonicMs();
    this.#cluster.noteResponse(this.#endpoint, head.status, head.headers);
    this.#affinity?.editResponse(head.headers, this.#endpoint);
    const failed = isRetryableStatus(head.status) || (this.#isGrpc && head.headers.get("grpc-status") === "14");
    this.#endpoint.recordLatency(now - attempt.startedMs, now, failed);
    if (failed) this.#cluster.recordFailure(this.#endpoint);
    else this.#cluster.recordSuccess(this.#endpoint, now);
  }

  /** gRPC reports load in trailers. */
  override attemptTrailers(attempt: Attempt, trailers: HeaderList): void {
    if (this.#endpoint !== undefined) this.#cluster?.noteResponse(this.#endpoint, 0, trailers);
    super.attemptTrailers(attempt, trailers);
  }

  protected override retryResponse(_attempt: Attempt, head: ResponseHead, end: boolean): boolean {
    const unavailable = this.#isGrpc && isGrpcUnavailable(head.headers, end);
    if (!unavailable && !this.#isRetryable(head.status)) return false;
    if (!this.#mayRetry()) return false;
    if (this.#endpoint !== undefined) {
      this.#cluster?.noteResponse(this.#endpoint, head.status, head.headers);
      if (unavailable || isRetryableStatus(head.status)) this.#cluster?.recordFailure(this.#endpoint);
    }
    this.#retry();
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
    const repeatable = (failure.notSent || isIdempotent(this.request.method)) && !failure.overloaded;
    if (unconnected ? this.#hasRetries : repeatable && this.#mayRetry()) {
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
    } else this.refuse(refusal(connectFailed, `${this.#where(address)} is not reachable: ${failure.cause}`));
  }

  #where(address: string): string {
    return this.#endpoint === undefined ? address : `${this.#endpoint.id} at ${address}`;
  }

  /** The statuses that the route lists, whatever the method; else those of a gateway, when it is safe. */
  #isRetryable(status: number): boolean {
    const policy = this.#rule?.retry;
    if (policy !== undefined) return policy.codes.includes(status);
    return isRetryableStatus(status) && isIdempotent(this.request.method);
  }

  get #hasRetries(): boolean {
    if (this.#cluster === undefined || !this.replayable) return false;
    return this.#retries < (this.#rule?.retry?.attempts || this.#cluster.settings.maxRetries);
  }

  /** Takes a retry out of the budget if there is one. */
  #mayRetry(): boolean {
    return this.#hasRetries && this.#cluster?.budget.tryTake(this.engine.clock.monotonicMs()) === true;
  }

  #retry(): void {
    this.#retries++;
    if (this.#endpoint !== undefined) (this.#tried ??= []).push(this.#endpoint);
    const backoffMs = this.#rule?.retry?.backoffMs ?? 0;
    if (backoffMs === 0) {
      this.#again();
      return;
    }
    this.dropAttempt(StreamErrorCode.CANCEL);
    this.#pausing = true;
    // The time-out of the try that failed is over; that of the whole request is not.
    this.#clearDeadline();
    this.nowMs = this.engine.clock.monotonicMs();
    if (this.#timeoutMs > 0) this.#setDeadline(Math.max(0, this.#timeoutMs - (this.nowMs - this.startedMs)));
    this.#pause ??= new WheelTimer(() => this.#resume());
    this.engine.wheel.schedule(this.#pause, retryDelayMs(backoffMs, this.#retries, this.engine.random()));
  }

  #resume(): void {
    this.#pausing = false;
    if (!this.finished) this.#again();
  }

  #again(): void {
    this.dropAttempt(StreamErrorCode.CANCEL);
    this.nowMs = this.engine.clock.monotonicMs();
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
  }

  /** A gRPC client's own deadline counts when it is the nearer one. */
  #readGrpcTimeout(): void {
    const askedMs = grpcTimeoutMs(this.request.headers.get("grpc-timeout"));
    if (askedMs === 0 || (this.#timeoutMs > 0 && this.#timeoutMs <= askedMs)) return;
    this.#timeoutMs = askedMs;
    this.#isClientsDeadline = true;
  }

  /** One timer serves both time-outs: it is set to the nearer one. */
  #scheduleDeadline(): void {
    const backendMs = this.#rule?.backendTimeoutMs ?? 0;
    const spent = this.nowMs - this.startedMs;
    let delay = this.#timeoutMs > 0 ? Math.max(0, this.#timeoutMs - spent) : Infinity;
    if (backendMs > 0) delay = Math.min(delay, backendMs);
    if (delay === Infinity) return;
    this.#setDeadline(delay);
  }

  #setDeadline(delayMs: number): void {
    this.#deadline ??= new WheelTimer(() => this.#onDeadline());
    this.engine.wheel.schedule(this.#deadline, delayMs);
  }

  #clearDeadline(): void {
    if (this.#deadline !== undefined) this.engine.wheel.cancel(this.#deadline);
  }

  #onDeadline(): void {
    if (this.finished) return;
    if (this.#waiting) {
      this.#waiting = false;
      if (this.#host !== undefined) this.#context.hosts.cancelWait(this.#host, this);
      this.refuse(
        refusal(configNotReceived, `the config of ${this.#target.host} did not arrive within ${CONFIG_WAIT_MS} ms`),
      );
      return;
    }
    if (this.tunnel) return;
    const whole = this.#timeoutMs > 0 && this.engine.clock.monotonicMs() - this.startedMs >= this.#timeoutMs;
    if (this.#pausing) {
      this.timedOut(`${this.#where(this.#target.host)} did not answer within ${this.#timeoutMs} ms, with its retries`);
      return;
    }
    const named = this.#rule?.retry?.codes.includes(GATEWAY_TIMEOUT) === true;
    const repeatable = named || isIdempotent(this.request.method);
    if (!whole && this.status === 0 && repeatable && this.#mayRetry()) {
      this.#noteTimeout(whole);
      this.#retry();
      return;
    }
    this.#noteTimeout(whole);
    const limit = whole ? this.#timeoutMs : (this.#rule?.backendTimeoutMs ?? 0);
    this.timedOut(`${this.#where(this.#target.host)} did not answer within ${limit} ms`);
  }

  #noteTimeout(whole: boolean): void {
    // A client that allows too little time says nothing about the endpoint.
    if (this.#endpoint === undefined || (whole && this.#isClientsDeadline)) return;
    this.#cluster?.recordFailure(this.#endpoint);
  }

  protected override record(): void {
    this.#edgeEntry?.exchanges.delete(this);
    this.#clearDeadline();
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

/** How an exchange begins. */
export interface ExchangeStart {
  /** The request has no body. */
  readonly end: boolean;
  readonly declared: DeclaredTarget | undefined;
  /** Address of the client, as its connection shows it. */
  readonly clientAddress: string;
  /** Set for requests that came in by a gateway. */
  readonly edge?: EdgeEntry;
}

/** Rules in force: those of a service's port, or of a gateway's listener. */
export interface RouteRules {
  match(request: RouteRequest): CompiledRule | undefined;
}

/** Gives the clusters of the backends that rules name. */
export interface BackendSource {
  /** The service, or the gateway: "NAMESPACE/NAME". */
  readonly service: string;
  backend(service: string): Cluster | undefined;
}

/** What the client asked for, before routes changed it. */
export interface AskedFor {
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

/** An exchange that can be judged again. */
export interface Rejudged {
  recheck(): void;
}

/** The way in of requests from outside the mesh. */
export interface EdgeEntry extends BackendSource {
  /** The listener's port, as the Gateway names it. */
  readonly port: number;
  /** Exchanges under way, to be judged again. */
  readonly exchanges: Set<Rejudged>;
  /** Replaces what only the edge may say. */
  prepare(request: RequestHead): void;
  /** Why policies refuse the request; undefined when they do not. */
  judge(request: RequestHead, asked: AskedFor): Refusal | undefined;
  /** Counts the request that `judge` let pass; once, and in the same turn. */
  admit(): Refusal | undefined;
  /** The routes for a host, or why there are none. */
  rulesFor(host: string): RouteRules | Refusal;
}

/** A declared upstream. */
export interface DeclaredTarget extends HostPort {
  /** As requests to it say it. */
  readonly authority: string;
}

/** `target` with its text, made once for all requests. */
export function declaredTarget({ host, port }: HostPort): DeclaredTarget {
  return { host, port, authority: port === 0 ? host : formatAuthority(host, port) };
}

// A request of the hosted application, or of a gateway's client, to some service: which one, by which rule, with what edits.
// How it gets there is the matter of tried-exchange.ts.

import { ResponseHead } from "@ripstop/http";
import { chooseBackend, splitTarget, type CompiledBackend, type CompiledRule } from "@ripstop/routing";
import { isLoopback, parseAuthority } from "../2-identify/authority.ts";
import type { HostEntry, HostWaiter } from "../4-route/host-table.ts";
import { AppliedFilters, type MirrorCopy } from "../5-filter/applied-filters.ts";
import { canonicalTarget, REFUSED_PATH } from "../5-filter/canonical-path.ts";
import { applyOutboundDuties, removeOutboundFields } from "../5-filter/request-duties.ts";
import { Affinity } from "../6-balance/affinity.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import { backendOfSession } from "../6-balance/session-backend.ts";
import {
  configNotReceived,
  connectFailed,
  invalidBackend,
  invalidPath,
  missingHost,
  noRouteMatched,
  tooManyExchanges,
  tooManyWaiting,
} from "../errors.ts";
import { MirrorComparison } from "../mirror/mirror-comparison.ts";
import type { Edge } from "../telemetry/edge.ts";
import { recordExchange, type ExchangeFacts } from "../telemetry/record-exchange.ts";
import type { AskedFor, BackendSource, EdgeEntry, RouteRules } from "./exchange-start.ts";
import { Timed } from "./exchange-timer.ts";
import { MAX_EXCHANGES } from "./http-exchange.ts";
import { isGrpc, refusal, type Refusal } from "./local-reply.ts";
import { mirroredRequests } from "./mirrored-request.ts";
import { noSuchPort, notOutside } from "./outbound-refusals.ts";
import { TriedExchange } from "./tried-exchange.ts";

const CONFIG_WAIT_MS = 5_000;

/** An outbound exchange. Make it, then call `start`. */
export class OutboundExchange extends TriedExchange implements HostWaiter, ExchangeFacts {
  #host: HostEntry | undefined = undefined;
  #waiting = false;
  /** Undefined when neither the rule nor the backend has any. */
  #filters: AppliedFilters | undefined = undefined;
  /** What is judged again when policies change, as the client sent it. */
  #asked: AskedFor | undefined = undefined;

  /** Runs the stages. */
  start(): void {
    const { request } = this;
    const { context, edge } = this.origin;
    const target = canonicalTarget(request.path);
    edge?.prepare(request);
    applyOutboundDuties(request, context.sourceService, this.engine.ids);
    if (this.engine.live.exchanges > MAX_EXCHANGES) {
      this.refuse(refusal(tooManyExchanges, `${MAX_EXCHANGES} requests are under way`));
      return;
    }
    if (target === REFUSED_PATH) {
      this.refuse(refusal(invalidPath, "the path is ambiguous and was not passed on"));
      return;
    }
    request.path = target;
    if (!this.#readTarget()) {
      this.refuse(refusal(missingHost, "the request names no host"));
      return;
    }
    if (this.answeredAsLast()) return;
    if (request.scheme === "") request.scheme = "http";
    this.isGrpc = isGrpc(request);
    if (edge === undefined) this.#find();
    else this.#enter(edge);
  }

  /** Where the request goes: the declared upstream, or the host that it names. False when there is neither. */
  #readTarget(): boolean {
    const { request } = this;
    const { declared } = this.origin;
    const authority = parseAuthority(request.authority);
    if (declared !== undefined) {
      this.target = declared;
      // The application wrote the loopback address that it was given: the service gets its own name.
      if (authority === undefined || isLoopback(authority.host)) request.authority = declared.authority;
      return true;
    }
    if (authority === undefined) return false;
    this.target = authority;
    return true;
  }

  #find(): void {
    const { hosts } = this.origin.context;
    const host = hosts.lookup(this.target.host, this.startedMs);
    if (host?.ready !== true) {
      this.#await(host);
      return;
    }
    this.#host = host;
    this.#route(host);
  }

  /** Waits for the config of the host. */
  #await(host: HostEntry | undefined): void {
    if (host === undefined) {
      this.refuse(refusal(tooManyWaiting, "too many host names are in use"));
      return;
    }
    this.#host = host;
    if (!this.origin.context.hosts.wait(host, this)) {
      this.refuse(refusal(tooManyWaiting, `too many requests wait for the config of ${this.target.host}`));
      return;
    }
    this.#waiting = true;
    this.time(Timed.CONFIG, this.startedMs + CONFIG_WAIT_MS);
  }

  /** A request that came in by a gateway: judged first, then routed by what is attached to the listener, or by its host. */
  #enter(edge: EdgeEntry): void {
    const { path, query } = splitTarget(this.request.path);
    this.#asked = { host: this.target.host, path, query };
    edge.exchanges.add(this);
    const refused = edge.judge(this.request, this.#asked) ?? edge.admit();
    if (refused !== undefined) {
      this.refuse(refused);
      return;
    }
    const rules = edge.rulesFor(this.target.host);
    if (rules === undefined) {
      this.target = { host: this.target.host, port: edge.port };
      this.#find();
    } else if ("kind" in rules) this.refuse(rules);
    else this.#follow(rules, edge, edge.port);
  }

  /** Judges again after policies changed, and ends what is refused now. Only what came in by a gateway is judged here. */
  recheck(): void {
    const { edge } = this.origin;
    if (this.finished || edge === undefined || this.#asked === undefined) return;
    const refused = edge.judge(this.request, this.#asked);
    if (refused !== undefined) this.abort(refused);
  }

  protected override shown(refused: Refusal): Refusal {
    if (this.origin.edge?.outside !== true) return refused;
    // Who calls from outside learns what went wrong, but neither addresses nor names of policies.
    return { ...refused, message: refused.kind.title, policy: "", clause: "" };
  }

  onHostReady(host: HostEntry): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.untime(Timed.CONFIG);
    this.nowMs = this.engine.clock.monotonicMs();
    if (!this.finished) this.#route(host);
  }

  protected override configMissing(): void {
    if (!this.#waiting) return;
    this.#stopWaiting();
    this.refuse(
      refusal(configNotReceived, `the config of ${this.target.host} did not arrive within ${CONFIG_WAIT_MS} ms`),
    );
  }

  #stopWaiting(): void {
    this.#waiting = false;
    if (this.#host !== undefined) this.origin.context.hosts.cancelWait(this.#host, this);
  }

  #route(host: HostEntry): void {
    const { frontend } = host;
    if (frontend === undefined) {
      this.egress();
      return;
    }
    const port = frontend.cluster.port(this.target.port);
    if (port === undefined) {
      this.refuse(noSuchPort(frontend, this.target.port));
      return;
    }
    this.servicePort = port.port;
    this.protocol = port.protocol;
    const matcher = frontend.matcher?.forPort(port.port);
    if (matcher === undefined) this.#send(frontend.cluster, frontend);
    else this.#follow(matcher, frontend, port.port);
  }

  /** Finds the rule that matches, and goes where it says; `port` is the one that the request came in on. */
  #follow(rules: RouteRules, backends: BackendSource, port: number): void {
    const { path, query } = splitTarget(this.request.path);
    const { method, headers } = this.request;
    const rule = rules.match({ host: this.target.host, method, path, query, headers });
    if (rule === undefined) {
      this.refuse(refusal(noRouteMatched, `no route of ${backends.service} matches ${method} ${path}`));
      return;
    }
    this.rule = rule;
    const fault = this.origin.edge?.disturbance(rule);
    if (fault === undefined) this.#take(rule, backends, port);
    else this.disturb(fault, () => this.#take(rule, backends, port));
  }

  /** Goes where `rule` says. */
  #take(rule: CompiledRule, backends: BackendSource, port: number): void {
    const backend = rule.backends[this.#choose(rule, backends)];
    if (rule.filters !== undefined || backend?.filters !== undefined) {
      this.#filters = new AppliedFilters(rule.filters, backend?.invalid === "" ? backend.filters : undefined);
      if (this.#answered(this.#filters, port)) return;
    }
    if (backend === undefined || backend.service === "") {
      this.#refuseBackend(rule, backend);
      return;
    }
    this.servicePort = backend.port === 0 ? port : backend.port;
    const cluster = backends.backend(backend.service);
    if (cluster === undefined) {
      this.refuse(refusal(configNotReceived, `the config of ${backend.service} has not arrived`));
      return;
    }
    const declared = cluster.port(this.servicePort);
    if (declared !== undefined) {
      this.protocol = declared.protocol;
      const problem = declared.backendTls === undefined ? "" : cluster.refusedTls(declared);
      if (problem !== "") {
        this.refuse(refusal(connectFailed, `${rule.source}: ${problem}`));
        return;
      }
    }
    this.#send(cluster, backends);
  }

  /** The position of the backend: that of the request's session if it has one, else by weight. */
  #choose(rule: CompiledRule, backends: BackendSource): number {
    if (rule.sessionPersistence !== undefined) {
      const nowMs = this.engine.clock.nowMs();
      const ofSession = backendOfSession(rule, this.request.headers, { backends, nowMs });
      if (ofSession >= 0) return ofSession;
    }
    const isOnly = rule.backends.length === 1 && rule.totalWeight > 0;
    return isOnly ? 0 : chooseBackend(rule, this.engine.random());
  }

  #refuseBackend(rule: CompiledRule, backend: CompiledBackend | undefined): void {
    const why = backend === undefined ? "the rule has no backends" : backend.invalid;
    this.refuse(refusal(invalidBackend, `${rule.source}: ${why}`));
  }

  #send(cluster: Cluster, backends: BackendSource): void {
    this.cluster = cluster;
    if (cluster.guarded && !this.admit(cluster)) return;
    cluster.budget.recordRequest();
    if (!this.limitTime(cluster)) return;
    if (cluster.keyed || this.rule?.sessionPersistence !== undefined) this.affinity = this.#affinityTo(cluster);
    if (this.#filters === undefined) this.balance(cluster);
    else this.#sendFiltered(this.#filters, cluster, backends);
  }

  #affinityTo(cluster: Cluster): Affinity {
    const { context, clientAddress } = this.origin;
    const persistence = this.rule?.sessionPersistence;
    const caller = { address: clientAddress, identity: context.spiffeId };
    return new Affinity(this.request, { cluster, persistence, caller, nowMs: this.engine.clock.nowMs() });
  }

  #sendFiltered(filters: AppliedFilters, cluster: Cluster, backends: BackendSource): void {
    const copies = filters.editRequest(this.request, this.engine.random);
    this.balance(cluster);
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
    const { sourceService: source } = this.origin.context;
    const primary = this.cluster?.service ?? "";
    const mirrors = mirroredRequests(this.engine, copies, {
      find: (service) => (whole ? backends.backend(service) : undefined),
      watch: (mirror) => comparison.watch({ source, primary, mirror }),
    });
    if (mirrors.length === 0) return;
    this.answerWatch = comparison.primary;
    this.mirrorTo(mirrors);
  }

  protected override egress(): void {
    const { context } = this.origin;
    const { host, port } = this.target;
    const target = { host, port: port === 0 ? (this.request.scheme === "https" ? 443 : 80) : port };
    const refused =
      notOutside(target, { isProxy: context.isOwnAddress(target), scheme: this.request.scheme }) ??
      (this.attempts === 0 ? context.egress.check(target, "http") : undefined);
    if (refused !== undefined) {
      this.refuse(refused);
      return;
    }
    removeOutboundFields(this.request);
    this.connect(context.egressPool(target));
  }

  protected override filterResponse(head: ResponseHead): void {
    this.#filters?.editResponse(head.headers);
  }

  get route(): string {
    return this.rule?.source ?? "";
  }

  get workload(): string {
    return this.endpoint?.id ?? "";
  }

  protected override record(): void {
    this.origin.edge?.exchanges.delete(this);
    this.endTimes();
    this.endFault();
    this.endTries();
    if (this.#waiting) this.#stopWaiting();
    if (this.answerWatch !== undefined) {
      const latencyMs = this.engine.clock.monotonicMs() - this.startedMs;
      if (this.clientGone) this.answerWatch.giveUp();
      else this.answerWatch.end(this.status, latencyMs, this.brokenBy === "");
    }
    const { edge } = this.origin;
    edge?.recorded?.(this, this.target, this.isGrpc ? "grpc" : "http");
    // What a gateway did not lead out never made the second hop.
    if (edge?.recorded === undefined || this.cluster !== undefined)
      recordExchange(this.engine, this.#telemetryEdge(), this);
  }

  #telemetryEdge(): Edge {
    const { context, edge } = this.origin;
    return context.edge(
      this.endpoint,
      edge?.service ?? this.#host?.frontend?.service ?? this.target.host,
      this.isGrpc ? "grpc" : "http",
    );
  }
}

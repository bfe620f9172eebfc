// The config streams of the endpoint: opened for who may have them, fed with requests, ended.

import { parseWorkerStreamId, type discovery } from "@ripstop/model";
import { metricNames } from "@ripstop/telemetry";
import { Metadata, status } from "@grpc/grpc-js";

import { streamBehind, streamLimitExceeded } from "../errors.ts";
import type { Admission } from "./admission.ts";
import type { Distributor } from "./distributor.ts";
import { fail, onEnded, type ConfigCall } from "./grpc-call.ts";
import type { ProxySlots } from "./proxy-slots.ts";
import { RequestBudget } from "./request-budget.ts";
import type { DiscoveryServerOptions, SharedStore } from "./server-options.ts";
import type { SubscriberStream } from "./subscriber-stream.ts";

/** How long a proxy that is ahead waits for what is in the store already to be compiled. */
const CATCH_UP_MS = 2_000;

/** What the streams share. */
export interface ConfigCallParts {
  readonly options: DiscoveryServerOptions;
  readonly distributor: Distributor;
  readonly admission: Admission;
  readonly slots: ProxySlots;
}

/** The open config streams, by stream id (`workerStreamId`). */
export class ConfigCalls {
  readonly #options: DiscoveryServerOptions;
  readonly #distributor: Distributor;
  readonly #admission: Admission;
  readonly #slots: ProxySlots;
  readonly #calls = new Map<string, ConfigCall>();
  readonly #budgets = new Map<string, RequestBudget>();

  constructor({ options, distributor, admission, slots }: ConfigCallParts) {
    this.#options = options;
    this.#distributor = distributor;
    this.#admission = admission;
    this.#slots = slots;
  }

  /** What is sent unasked is paid for as if it had been asked for. */
  spend(streamId: string, names: number): void {
    this.#budgets.get(streamId)?.spend(names);
  }

  /** Ends a stream, when it is open. */
  end(streamId: string, code: status, reason: string): void {
    const call = this.#calls.get(streamId);
    if (call) fail(call, code, reason);
  }

  /** Ends a stream that has more than it may. */
  endOverLimit(streamId: string, problem: string): void {
    this.#options.logger?.warn("config stream ended: over its limits", { proxyId: streamId, problem });
    const message = `${streamLimitExceeded.code} ${streamLimitExceeded.title}: ${problem}`;
    this.end(streamId, status.RESOURCE_EXHAUSTED, message);
  }

  /** A call came. */
  onCall(call: ConfigCall): void {
    const peer = this.#admission.admit(call);
    if (!peer) return;
    let stream: SubscriberStream | undefined;
    let proxyId = "";
    let isOver = false;
    const budget = new RequestBudget(this.#options.clock);
    call.on("data", (request: discovery.DeltaDiscoveryRequest) => {
      if (isOver) return;
      if (!stream) {
        proxyId = request.node?.id ?? "";
        if (!this.#admission.authorize(call, proxyId, peer.id)) return;
        if (this.#isAhead(request)) {
          // Nothing more is read meanwhile.
          call.pause();
          this.#catchUp(call, request).then(
            (isHere) => {
              // It may have left, or been cut off, while it waited.
              if (isOver || !isHere || !this.#admission.authorize(call, proxyId, peer.id)) return;
              begin();
              onRequest(request);
              call.resume();
            },
            (error: unknown) => fail(call, status.INTERNAL, String(error)),
          );
          return;
        }
        begin();
      }
      onRequest(request);
    });
    const begin = (): void => {
      stream = this.#openStream(call, proxyId, peer.id);
      // What is sent again because of a checksum is paid for as if it had been asked for.
      this.#budgets.set(proxyId, budget);
    };
    const onRequest = (request: discovery.DeltaDiscoveryRequest): void => {
      if (!stream) return;
      const names = request.resourceNamesSubscribe.length + request.resourceNamesUnsubscribe.length;
      const problem = budget.spend(names) ? stream.onRequest(request) : "too many requests";
      if (problem !== undefined) this.endOverLimit(proxyId, problem);
    };
    const ended = (): void => {
      isOver = true;
      if (stream) this.#distributor.close(stream);
      stream = undefined;
      if (proxyId !== "" && this.#calls.get(proxyId) === call) {
        this.#calls.delete(proxyId);
        this.#budgets.delete(proxyId);
        this.#slots.closed(proxyId);
        this.#options.logger?.info("proxy disconnected", { proxyId });
        this.#options.onDisconnected?.(parseWorkerStreamId(proxyId).proxyId);
      }
    };
    onEnded(call, ended);
  }

  /** Whether a proxy has config that this control plane has not come to, and must not be sent what is older. */
  #isAhead({ seenRevision, seenTablesRevision = 0 }: discovery.DeltaDiscoveryRequest): boolean {
    const { shared, source } = this.#options;
    return shared !== undefined && (seenRevision > source.revision || seenTablesRevision > completeTables(shared));
  }

  /** True when all that the proxy may have seen is in force here; else its stream is refused, so that it tries the next. */
  async #catchUp(
    call: ConfigCall,
    { seenRevision, seenTablesRevision = 0 }: discovery.DeltaDiscoveryRequest,
  ): Promise<boolean> {
    const { shared, logger, metrics } = this.#options;
    const isCurrent = (await shared?.readBarrier()) ?? true;
    // What is not in the store although all of it is here has never been, or not in this history: the store was restored.
    const wanted = isCurrent ? Math.min(seenRevision, shared?.revision ?? 0) : seenRevision;
    const { reached } = await this.#distributor.waitProgress(wanted, isCurrent ? CATCH_UP_MS : 0);
    const hasTables = reached && ((await shared?.tables?.reach(seenTablesRevision)) ?? true);
    if (hasTables) {
      if (wanted < seenRevision)
        logger?.warn("a proxy has config of a revision that the store does not have", { seenRevision, newest: wanted });
      return true;
    }
    metrics?.counter(metricNames.CONFIG_STREAMS_BEHIND.name, metricNames.CONFIG_STREAMS_BEHIND.help).add(1);
    const message = reached
      ? `the proxy has registrations of ${seenTablesRevision}, this control plane of ${completeTables(shared)}`
      : `the proxy has revision ${seenRevision}, this control plane ${this.#options.source.revision}`;
    fail(call, status.UNAVAILABLE, `${streamBehind.code} ${streamBehind.title}: ${message}`);
    return false;
  }

  #openStream(call: ConfigCall, proxyId: string, identity: string): SubscriberStream {
    const before = this.#calls.get(proxyId);
    this.#calls.set(proxyId, call);
    if (before === undefined) this.#slots.opened(proxyId);
    else fail(before, status.ABORTED, "the proxy opened a newer stream");
    call.sendMetadata(new Metadata());
    const stream = this.#distributor.open({ proxyId, identity }, (response) => {
      if (call.writableEnded || call.destroyed) return;
      const tables = this.#options.shared?.tables;
      call.write(tables === undefined ? response : { ...response, tablesRevision: tables.newest });
    });
    this.#options.logger?.info("proxy connected", { proxyId, identity });
    this.#options.onConnected?.(parseWorkerStreamId(proxyId).proxyId);
    return stream;
  }
}

/** The change of a table up to which all are here; Infinity where none is counted. */
function completeTables(shared: SharedStore | undefined): number {
  return shared?.tables?.complete ?? Infinity;
}

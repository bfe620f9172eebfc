// The telemetry streams of the endpoint: reports come, commands go.

import { parseWorkerStreamId, type telemetry } from "@ripstop/model";
import { Metadata, status } from "@grpc/grpc-js";

import type { Admission } from "./admission.ts";
import { fail, onEnded, type TelemetryCall } from "./grpc-call.ts";
import { proxyIdMetadata } from "./grpc-services.ts";
import type { ProxySlots } from "./proxy-slots.ts";
import type { DiscoveryServerOptions } from "./server-options.ts";
import { TelemetrySender } from "./telemetry-sender.ts";

/** The open telemetry streams, by stream id (`workerStreamId`). */
export class TelemetryCalls {
  readonly #options: DiscoveryServerOptions;
  readonly #admission: Admission;
  readonly #slots: ProxySlots;
  readonly #senders = new Map<string, TelemetrySender>();

  constructor(options: DiscoveryServerOptions, admission: Admission, slots: ProxySlots) {
    this.#options = options;
    this.#admission = admission;
    this.#slots = slots;
  }

  /** Sends a command; false when the stream is not open. */
  send(streamId: string, command: telemetry.ProxyCommand): boolean {
    const sender = this.#senders.get(streamId);
    sender?.send(command);
    return sender !== undefined;
  }

  /** Ends a stream, when it is open. */
  end(streamId: string, code: status, reason: string): void {
    const sender = this.#senders.get(streamId);
    if (sender) fail(sender.call, code, reason);
  }

  /** A call came. */
  onCall(call: TelemetryCall): void {
    const peer = this.#admission.admit(call);
    if (!peer) return;
    const proxyId = String(call.metadata.get(proxyIdMetadata)[0] ?? "");
    if (!this.#admission.authorize(call, proxyId, peer.id)) return;
    const before = this.#senders.get(proxyId);
    const sender = new TelemetrySender(call);
    this.#senders.set(proxyId, sender);
    if (before === undefined) this.#slots.opened(proxyId);
    else fail(before.call, status.ABORTED, "the proxy opened a newer stream");
    call.sendMetadata(new Metadata());
    call.on("data", (report: telemetry.ProxyReport) => this.#onReport(proxyId, report));
    const ended = (): void => {
      if (this.#senders.get(proxyId) !== sender) return;
      this.#senders.delete(proxyId);
      this.#slots.closed(proxyId);
      const closed = parseWorkerStreamId(proxyId);
      this.#options.onTelemetryClosed?.(closed.proxyId, closed.slot);
    };
    onEnded(call, ended);
    this.#options.onTelemetryOpen?.(parseWorkerStreamId(proxyId).proxyId);
  }

  /** A fault in what is done with telemetry must not touch the config streams. */
  #onReport(streamId: string, report: telemetry.ProxyReport): void {
    const { proxyId, slot } = parseWorkerStreamId(streamId);
    try {
      this.#options.onReport?.(proxyId, report, slot);
    } catch (error) {
      this.#options.logger?.error("telemetry report failed", { proxyId, cause: String(error) });
    }
  }
}

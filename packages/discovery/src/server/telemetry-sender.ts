// Commands to a proxy, on its telemetry stream: a slow one gets the newest.

import type { telemetry } from "@ripstop/model";

import type { TelemetryCall } from "./grpc-call.ts";

/** Writes commands one at a time; while one is on its way, only the newest further one is kept. */
export class TelemetrySender {
  readonly call: TelemetryCall;
  #isWriting = false;
  #next: telemetry.ProxyCommand | undefined;

  constructor(call: TelemetryCall) {
    this.call = call;
  }

  /** Sends, or keeps for when what is on its way has left. */
  send(command: telemetry.ProxyCommand): void {
    if (this.#isWriting) {
      this.#next = command;
      return;
    }
    if (this.call.writableEnded || this.call.destroyed) return;
    this.#isWriting = true;
    this.call.write(command, () => {
      this.#isWriting = false;
      const next = this.#next;
      this.#next = undefined;
      if (next) this.send(next);
    });
  }
}

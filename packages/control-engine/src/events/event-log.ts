// What happened in the mesh that its operators should know: a bounded list, newest last. Kept in memory; what must
// outlive the process is in the logs and in the issuance log.

import type { Clock } from "@ripstop/core";
import type { MeshEvent } from "@ripstop/model";
import type { Logger } from "@ripstop/telemetry";

/** A new event; number and time are given by the log. */
export type NewEvent = Omit<MeshEvent, "number" | "timeMs">;

/** Most events that are kept; older ones go. */
export const MAX_EVENTS = 1_000;

/** The newest events. */
export class EventLog {
  readonly #clock: Clock;
  readonly #logger: Logger | undefined;
  readonly #events: MeshEvent[] = [];
  #number = 0;

  constructor(clock: Clock, logger?: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Adds an event and writes it to the log of the process. */
  add(event: NewEvent): void {
    this.#number++;
    this.#events.push({ ...event, number: this.#number, timeMs: this.#clock.nowMs() });
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
    const fields = { type: event.type, subject: event.subject };
    if (event.severity === "info") this.#logger?.info(event.message, fields);
    else this.#logger?.warn(event.message, fields);
  }

  /** Events with a number above `after`, oldest first. */
  list(after: number = 0): readonly MeshEvent[] {
    return this.#events.filter(({ number }) => number > after);
  }
}

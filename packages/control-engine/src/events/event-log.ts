// What happened in the mesh that its operators should know: a bounded list, newest last. Kept in memory; what must
// outlive the process is in the logs and in the issuance log.

import type { Clock } from "@ripstop/core";
import type { MeshEvent } from "@ripstop/model";
import type { Logger } from "@ripstop/telemetry";

/** A new event; number and time are given by the log. */
export type NewEvent = Omit<MeshEvent, "number" | "timeMs">;

/** Most events that are kept; older ones go. */
export const MAX_EVENTS = 1_000;

const LIMITED_MS = 60_000;
const MAX_LIMITED = 256;

/** The newest events. */
export class EventLog {
  readonly #clock: Clock;
  readonly #logger: Logger | undefined;
  readonly #events: MeshEvent[] = [];
  /** When an event of a type and subject was last added, oldest first. */
  readonly #limited = new Map<string, number>();
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

  /** As `add`, but an event of the same type and subject only once a minute: for what outsiders can cause. */
  addLimited(event: NewEvent): void {
    const key = `${event.type} ${event.subject}`;
    const nowMs = this.#clock.monotonicMs();
    const last = this.#limited.get(key);
    if (last !== undefined && nowMs - last < LIMITED_MS) return;
    this.#limited.delete(key);
    if (this.#limited.size >= MAX_LIMITED) {
      const [oldest, atMs] = [...this.#limited.entries()][0] ?? ["", 0];
      // So many subjects at once are an attack on the list itself.
      if (nowMs - atMs < LIMITED_MS) return;
      this.#limited.delete(oldest);
    }
    this.#limited.set(key, nowMs);
    this.add(event);
  }

  /** Events with a number above `after`, oldest first. */
  list(after: number = 0): readonly MeshEvent[] {
    return this.#events.filter(({ number }) => number > after);
  }
}

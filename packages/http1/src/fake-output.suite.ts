// For tests: an output that remembers what was done to it, and a scheduler that flushes when told.

import type { Flushable, FlushScheduler, Http1Output } from "./message-sender.ts";

/** Remembers writes and calls. Set `isCongested` to make writes return false. */
export class FakeOutput implements Http1Output {
  /** Every write as text. */
  readonly writes: string[] = [];
  /** "pause", "resume", "end", "destroy", "reset" (destroy with a reset) in order. */
  readonly calls: string[] = [];
  isCongested = false;

  write(buf: Buffer, start: number, end: number): boolean {
    this.writes.push(buf.latin1Slice(start, end));
    return !this.isCongested;
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }

  end(): void {
    this.calls.push("end");
  }

  destroy(reset: boolean = false): void {
    this.calls.push(reset ? "reset" : "destroy");
  }

  /** All that was written since the last call. */
  take(): string {
    return this.writes.splice(0).join("");
  }
}

/** Flushes on `run`. */
export class ManualScheduler implements FlushScheduler {
  readonly #targets: Flushable[] = [];

  schedule(target: Flushable): void {
    this.#targets.push(target);
  }

  /** The end of the turn. */
  run(): void {
    for (const target of this.#targets.splice(0)) target.flush();
  }
}

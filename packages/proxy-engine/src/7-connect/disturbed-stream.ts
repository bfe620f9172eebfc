// The way back to a client that a fault disturbs: slow, or cut off in the middle of a body. It takes the place of the
// client's stream in one exchange; exchanges without a fault know nothing of it.

import { HeaderList, StreamErrorCode, type ResponseHead, type ServerStream } from "@ripstop/http";
import { WheelTimer, type TimerWheel } from "@ripstop/net";

/** How a response is disturbed. */
export interface StreamFaults {
  /** Most bytes of body in a second; 0: no limit. */
  readonly bytesPerSecond: number;
  /** The stream breaks off after so many bytes of body; -1: it does not. */
  readonly cutAfterBytes: number;
}

/** Time between two pieces of a slow body. */
const STEP_MS = 50;
/** Bytes that wait here before the sender is told to stop. */
const HIGH_WATER = 64 * 1024;

/** A ServerStream in front of another. Hand it `onWritable` and `cancel` of the exchange. */
export class DisturbedStream implements ServerStream {
  readonly #stream: ServerStream;
  readonly #wheel: TimerWheel;
  readonly #faults: StreamFaults;
  readonly #timer: WheelTimer;
  readonly #resume: () => void;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #left: number;
  #trailers: HeaderList | undefined = undefined;
  #ended = false;
  #stopped = false;
  #scheduled = false;
  #over = false;

  /** `resume` is called when there is room again after `sendBody` said that there is not. */
  constructor(stream: ServerStream, wheel: TimerWheel, options: { readonly faults: StreamFaults; resume(): void }) {
    this.#stream = stream;
    this.#wheel = wheel;
    this.#faults = options.faults;
    this.#resume = () => options.resume();
    this.#left = options.faults.cutAfterBytes < 0 ? Number.POSITIVE_INFINITY : options.faults.cutAfterBytes;
    this.#timer = new WheelTimer(() => this.#step());
  }

  sendInformational(head: ResponseHead): void {
    this.#stream.sendInformational(head);
  }

  sendResponse(head: ResponseHead, end: boolean): void {
    this.#stream.sendResponse(head, end);
    if (end) this.#over = true;
    else if (this.#left === 0) this.#cut();
  }

  sendBody(buf: Buffer, start: number, end: number): boolean {
    if (this.#over) return true;
    if (this.#faults.bytesPerSecond === 0) return this.#pass(buf, start, end);
    this.#waiting.push(Buffer.from(buf.subarray(start, end)));
    this.#waitingBytes += end - start;
    this.#schedule();
    if (this.#waitingBytes < HIGH_WATER) return true;
    this.#stopped = true;
    return false;
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.#over) return;
    if (this.#waitingBytes === 0) {
      this.#over = true;
      this.#stream.sendTrailers(trailers);
      return;
    }
    this.#trailers = new HeaderList();
    this.#trailers.copyFrom(trailers);
    this.#ended = true;
  }

  sendEnd(): void {
    if (this.#over) return;
    this.#ended = true;
    if (this.#waitingBytes === 0) this.#end();
  }

  reset(code: number): void {
    this.cancel();
    this.#stream.reset(code);
  }

  consumed(count: number): void {
    this.#stream.consumed(count);
  }

  /** The client's stream has room again. True when the sender may go on at once. */
  onWritable(): boolean {
    if (this.#faults.bytesPerSecond === 0) return true;
    this.#schedule();
    return false;
  }

  /** Nothing more is sent. */
  cancel(): void {
    this.#over = true;
    this.#wheel.cancel(this.#timer);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #schedule(): void {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    this.#wheel.schedule(this.#timer, STEP_MS);
  }

  #step(): void {
    this.#scheduled = false;
    if (this.#over) return;
    let budget = Math.max(1, Math.floor((this.#faults.bytesPerSecond * STEP_MS) / 1_000));
    let open = true;
    while (budget > 0 && open && !this.#over) {
      const next = this.#waiting[0];
      if (next === undefined) break;
      const count = Math.min(budget, next.length);
      open = this.#pass(next, 0, count);
      budget -= count;
      this.#waitingBytes -= count;
      if (count === next.length) this.#waiting.shift();
      else this.#waiting[0] = next.subarray(count);
    }
    if (this.#over) return;
    if (this.#waitingBytes === 0) {
      if (this.#ended) this.#end();
      else if (this.#stopped) {
        this.#stopped = false;
        this.#resume();
      }
      return;
    }
    // Without room at the client, its `onWritable` goes on.
    if (open) this.#schedule();
  }

  #pass(buf: Buffer, start: number, end: number): boolean {
    const count = Math.min(end - start, this.#left);
    const open = count === 0 || this.#stream.sendBody(buf, start, start + count);
    this.#left -= count;
    if (this.#left === 0) this.#cut();
    return open || this.#over;
  }

  /** Breaks off a moment later: what was sent must not be dropped with the stream. */
  #cut(): void {
    if (this.#over) return;
    this.cancel();
    this.#timer.onTimer = () => this.#stream.reset(StreamErrorCode.INTERNAL_ERROR);
    this.#wheel.schedule(this.#timer, STEP_MS);
  }

  #end(): void {
    this.#over = true;
    if (this.#trailers === undefined) this.#stream.sendEnd();
    else this.#stream.sendTrailers(this.#trailers);
  }
}

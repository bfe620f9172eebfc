// Whether the application accepts connections: asked often until it does, then now and then.

import { connect } from "node:net";
import type { Clock, Timer } from "@ripstop/core";

const FIRST_MS = 25;
const SLOWEST_WAIT_MS = 500;
const STEADY_MS = 5_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** Failures in a row that turn a ready application into one that is not. */
const FAILURES_TO_LOSE = 2;

/** Connects to a local TCP port over and over; tells each change. */
export class ReadinessProbe {
  readonly #host: string;
  readonly #port: number;
  readonly #clock: Clock;
  readonly #onChange: (ready: boolean) => void;
  #ready = false;
  #failures = 0;
  #delayMs = FIRST_MS;
  #timer: Timer | undefined;
  #closed = false;

  constructor(
    address: { readonly host: string; readonly port: number },
    clock: Clock,
    onChange: (ready: boolean) => void,
  ) {
    this.#host = address.host;
    this.#port = address.port;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Asks for the first time at once. */
  start(): void {
    const socket = connect({ host: this.#host, port: this.#port, timeout: CONNECT_TIMEOUT_MS });
    let answered = false;
    const answer = (accepted: boolean): void => {
      socket.destroy();
      if (answered) return;
      answered = true;
      this.#answered(accepted);
    };
    socket.on("connect", () => answer(true));
    socket.on("timeout", () => answer(false));
    socket.on("error", () => answer(false));
  }

  /** No further question. */
  close(): void {
    this.#closed = true;
    this.#timer?.clear();
  }

  #answered(accepted: boolean): void {
    if (this.#closed) return;
    this.#failures = accepted ? 0 : this.#failures + 1;
    const ready = accepted || (this.#ready && this.#failures < FAILURES_TO_LOSE);
    if (ready !== this.#ready) {
      this.#ready = ready;
      this.#delayMs = FIRST_MS;
      this.#onChange(ready);
    }
    this.#delayMs = Math.min(SLOWEST_WAIT_MS, this.#delayMs * 1.5);
    this.#timer = this.#clock.after(ready && accepted ? STEADY_MS : this.#delayMs, () => this.start());
  }
}

// An exchange that a fault may disturb on purpose: hold it up, answer in place of the service, break it off, slow its way
// back or cut it. Exchanges without a fault pay for one empty field.

import type { Disturbance } from "@ripstop/policy-api/proxy";
import { WheelTimer } from "@ripstop/net";
import { DisturbedStream } from "./disturbed-stream.ts";
import { HttpExchange } from "./http-exchange.ts";
import { denialRefusal } from "./local-reply.ts";

/** What a fault has in hand. */
interface UnderWay {
  /** Runs while the request is held up. */
  delay: WheelTimer | undefined;
  /** The way back, while it is slow or will be cut. */
  way: DisturbedStream | undefined;
}

/** The part of both kinds of exchange that faults know. */
export abstract class DisturbedExchange extends HttpExchange {
  #fault: UnderWay | undefined = undefined;

  /** Does what a fault says; `goOn` follows, now or after the delay, unless the exchange ends with the fault. */
  protected disturb(fault: Disturbance, goOn: () => void): void {
    const underWay: UnderWay = { delay: undefined, way: undefined };
    this.#fault = underWay;
    const act = (): void => {
      if (!this.finished && this.#survives(fault, underWay)) goOn();
    };
    if (fault.delayMs === 0) {
      act();
      return;
    }
    underWay.delay = new WheelTimer(act);
    this.engine.wheel.schedule(underWay.delay, fault.delayMs);
  }

  /** The exchange is over: no fault acts on it any more. */
  protected endFault(): void {
    if (this.#fault?.delay !== undefined) this.engine.wheel.cancel(this.#fault.delay);
  }

  override onWritable(): void {
    const way = this.#fault?.way;
    if (way === undefined || way.onWritable()) super.onWritable();
  }

  override onReset(code: number, cause: string): void {
    this.#fault?.way?.cancel();
    super.onReset(code, cause);
  }

  /** False when the exchange ends with the fault. */
  #survives(fault: Disturbance, underWay: UnderWay): boolean {
    if (fault.abort !== undefined) {
      // No policy refused it: it counts as a failure, which it is there for.
      this.refuse({ ...denialRefusal(fault.abort), policy: "", clause: "" });
      return false;
    }
    if (fault.reset) {
      this.breakOff(`FaultInjection ${fault.policy} ${fault.clause} resets the connection`);
      return false;
    }
    this.nowMs = this.engine.clock.monotonicMs();
    if (fault.bytesPerSecond === 0 && fault.cutAfterBytes < 0) return true;
    const resume = (): void => super.onWritable();
    underWay.way = new DisturbedStream(this.downstream, this.engine.wheel, { faults: fault, resume });
    this.downstream = underWay.way;
    return true;
  }
}

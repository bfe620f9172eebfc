// Outgoing connections: name resolution, one address after the other, one deadline for all of it.

import type { LookupAddress } from "node:dns";
import { isIP } from "node:net";
import type { Clock } from "@ripstop/core";
import { causeOf, closeCause } from "./close-cause.ts";
import type { CloseCause, Conn } from "./conn.ts";
import type { Connecting, ConnectEvents, Tier } from "./tiers/tier.ts";
import { currentTier } from "./current-tier.ts";
import { nameLookups } from "./name-lookups.ts";

/** Where to: `host` (IP address or DNS name) and `port`, or the `path` of a Unix socket. */
export interface DialOptions {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  /** For everything together, name resolution included. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** For tests; default the process's tier. */
  readonly tier?: Tier;
}

/** How a dial ends: exactly one of these is called, in a later turn, unless it was cancelled. */
export interface DialEvents {
  /** The handler must be set before this returns. */
  onConnected(conn: Conn): void;
  onFailed(cause: CloseCause): void;
}

/** Starts to connect; the result has `cancel`. */
export function dial(options: DialOptions, events: DialEvents): Connecting {
  return new Dial(options, events);
}

const MAX_ADDRESSES = 8;

class Dial implements Connecting, ConnectEvents {
  readonly #options: DialOptions;
  readonly #events: DialEvents;
  readonly #tier: Tier;
  readonly #deadlineMs: number;
  #addresses: readonly LookupAddress[] = [];
  #next = 0;
  #attempt: Connecting | undefined;
  #timer: { clear(): void };
  readonly #leaveLookup: (() => void) | undefined;
  #over = false;

  constructor(options: DialOptions, events: DialEvents) {
    this.#options = options;
    this.#events = events;
    this.#tier = options.tier ?? currentTier();
    this.#deadlineMs = options.clock.monotonicMs() + options.timeoutMs;
    this.#timer = options.clock.after(options.timeoutMs, () => this.#fail(closeCause("ETIMEDOUT")));
    const { host = "127.0.0.1", path } = options;
    const family = isIP(host);
    if (path !== undefined) this.#attempt = this.#tier.connect({ path }, this);
    else if (family !== 0) this.#tryAll([{ address: host, family }]);
    else {
      this.#leaveLookup = nameLookups.start(host, (error, found) => {
        if (this.#over) return;
        if (error) this.#fail(causeOf(error));
        else this.#tryAll(found.slice(0, MAX_ADDRESSES));
      });
    }
  }

  cancel(): void {
    if (this.#finish()) this.#attempt?.cancel();
  }

  onConnected(conn: Conn): void {
    if (this.#finish()) this.#events.onConnected(conn);
    else conn.destroy();
  }

  onFailed(cause: CloseCause): void {
    if (this.#over) return;
    if (this.#next < this.#addresses.length) this.#tryNext();
    else this.#fail(cause);
  }

  #tryAll(addresses: readonly LookupAddress[]): void {
    this.#addresses = addresses;
    if (addresses.length === 0) this.#fail(closeCause("ENOTFOUND"));
    else this.#tryNext();
  }

  #tryNext(): void {
    const found = this.#addresses[this.#next++];
    if (!found) return;
    const { clock, port = 0 } = this.#options;
    const target = { address: found.address, family: found.family === 6 ? (6 as const) : (4 as const), port };
    const attempt = this.#tier.connect(target, this);
    this.#attempt = attempt;
    const left = this.#addresses.length - this.#next;
    if (left === 0) return;
    // A silent address must not use up the time of the others.
    const share = Math.max(0, this.#deadlineMs - clock.monotonicMs()) / (left + 1);
    const whole = this.#timer;
    const timer = clock.after(share, () => {
      if (this.#over || this.#attempt !== attempt) return;
      attempt.cancel();
      this.#tryNext();
    });
    this.#timer = {
      clear: () => {
        whole.clear();
        timer.clear();
      },
    };
  }

  #fail(cause: CloseCause): void {
    if (!this.#finish()) return;
    this.#attempt?.cancel();
    this.#events.onFailed(cause);
  }

  /** True for the first to end the dial. */
  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timer.clear();
    this.#leaveLookup?.();
    return true;
  }
}

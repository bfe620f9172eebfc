// What a config stream tells whoever owns it.

import type { discovery } from "@ripstop/model";

/** What a stream tells its owner. */
export interface StreamEvents {
  send(response: discovery.DeltaDiscoveryResponse): void;
  /** A name was subscribed or given up: the owner's index of who wants what. */
  onSubscribe(typeUrl: string, name: string): void;
  onUnsubscribe(typeUrl: string, name: string): void;
  /** There is something to send: call `flush` soon. `isChange` when it is a change of what the proxy had, no first answer. */
  onDirty(typeUrl: string, isChange: boolean): void;
  /** Resources and removals in a response. */
  onSent(typeUrl: string, resources: number, removed: number): void;
  /** Resources that the proxy had already at a reconnect, and that were not sent again. */
  onResumed(typeUrl: string, resources: number): void;
  /** A wildcard stands for so many names, which the proxy did not name. */
  onListed(names: number): void;
  /** Something else than a request took the stream beyond its limits: it must be closed. */
  onOverLimit(problem: string): void;
  /** Resources that the proxy should have had by now and has not: they are sent again. */
  onMended(typeUrl: string, resources: number): void;
  /** A change, not a first answer, was acknowledged `ms` after it was made. */
  onPropagated(typeUrl: string, ms: number): void;
  /** Monotonic time in milliseconds. */
  nowMs(): number;
  /** A response was answered; `reason` is why it was refused, or undefined. */
  onAnswered(typeUrl: string, reason: string | undefined, revision: number): void;
}

// Who subscribes to what, so that a change finds its subscribers without looking at any other stream.

import type { SubscriberStream } from "./subscriber-stream.ts";

const NOBODY: ReadonlySet<SubscriberStream> = new Set();

/** Streams by type URL and name. */
export class SubscriptionIndex {
  readonly #byType = new Map<string, Map<string, Set<SubscriberStream>>>();

  /** The streams that subscribe to a name. */
  of(typeUrl: string, name: string): ReadonlySet<SubscriberStream> {
    return this.#byType.get(typeUrl)?.get(name) ?? NOBODY;
  }

  add(typeUrl: string, name: string, stream: SubscriberStream): void {
    let byName = this.#byType.get(typeUrl);
    if (!byName) this.#byType.set(typeUrl, (byName = new Map<string, Set<SubscriberStream>>()));
    const streams = byName.get(name);
    if (streams) streams.add(stream);
    else byName.set(name, new Set([stream]));
  }

  /** True when this was the last stream that subscribed to the name. */
  remove(typeUrl: string, name: string, stream: SubscriberStream): boolean {
    const byName = this.#byType.get(typeUrl);
    const streams = byName?.get(name);
    if (!byName || !streams?.delete(stream) || streams.size > 0) return false;
    byName.delete(name);
    if (byName.size === 0) this.#byType.delete(typeUrl);
    return true;
  }
}

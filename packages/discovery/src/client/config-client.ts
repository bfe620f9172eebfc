// The config stream, proxy side: the contract that the engine programs against.

import type { ResourceType } from "@ripstop/model";

/** Hears about one subscribed resource. */
export interface Watcher<T> {
  /** A new version. Throwing refuses it (nack): the last good one stays in force and other resources go on. */
  onResource(resource: T): void;
  /** It does not exist (any more), or this proxy may not know it. */
  onRemoved(): void;
}

/** Hears about whatever there is of a type. */
export interface ListWatcher<T> {
  /** A new resource, or a new version. Throwing refuses it (nack): the last good one stays in force. */
  onResource(name: string, resource: T): void;
  /** It does not exist any more, or this proxy may not know it any more. */
  onRemoved(name: string): void;
}

/** A subscription that can be given up. */
export interface Subscription {
  cancel(): void;
}

/** Subscribes to resources by name; reconnects and resumes by itself; keeps the last good config on disk. */
export interface ConfigClient {
  /** Watchers of the same resource share one subscription. What is known already (from the stream or the disk) is delivered before the call returns. */
  watch<T>(type: ResourceType<T>, name: string, watcher: Watcher<T>): Subscription;
  readonly connected: boolean;
  /** Stops; the cache on disk stays. */
  close(): Promise<void>;
}

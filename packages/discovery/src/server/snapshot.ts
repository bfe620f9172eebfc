// What to send: the view of the compiled model that the stream server asks. How to send it is in the stream server.

/** One encoded resource. */
export interface VersionedResource {
  readonly name: string;
  /** Changes exactly when `bytes` changes (a content hash). */
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** Who asks: verified by mutual TLS and known to the registry. */
export interface Subscriber {
  readonly proxyId: string;
  readonly identity: string;
}

/** What `*` stands for. */
export interface NameList {
  /** Under which `watch` reports that the list changed. Starts with "*"; no resource has such a name. */
  readonly name: string;
  /** Names of which some may not exist. */
  readonly names: ReadonlySet<string>;
}

/** The compiled model as a subscriber may see it. */
export interface ResourceSource {
  /**
   * The resource now, or undefined when it does not exist or the subscriber may not know it. Must be cheap to call again.
   * Makes the source compute it if it is computed on demand.
   */
  get(typeUrl: string, name: string, subscriber: Subscriber): VersionedResource | undefined;
  /**
   * The names of a type that a subscriber may learn of without naming them; undefined when the type has no such list.
   * As cheap to call again as `get`, and followed by `watch` in the same way.
   */
  list?(typeUrl: string, subscriber: Subscriber): NameList | undefined;
  /**
   * Calls `changed` after resources of a type changed, with all their names; returns how to stop. `revision` is the one
   * that changed them and is followed until every proxy concerned has it; 0 for a change that belongs to none (an
   * endpoint came or went), which nobody waits for.
   */
  watch(changed: (typeUrl: string, names: readonly string[], revision: number) => void): () => void;
  /** Nobody subscribes to that name any more: what was remembered for it may be forgotten. */
  release?(typeUrl: string, name: string): void;
  /** The revision that `get` reflects. It grows in the turn in which `watch` reports what the revision changed. */
  readonly revision: number;
}

// The resources of a store in memory: reads are map look-ups, and the same object comes back until it is replaced.

import { resourceKey, type Resource } from "@ripstop/resources";

/** Resources by key and by kind. */
export class ResourceIndex {
  readonly #byKind = new Map<string, KindIndex>();

  get(key: string): Resource | undefined {
    return this.#byKind.get(kindOf(key))?.byKey.get(key);
  }

  /** All of a kind, in key order. */
  list(kind: string): Iterable<Resource> {
    const index = this.#byKind.get(kind);
    if (index === undefined) return [];
    index.sorted ??= [...index.byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, resource]) => resource);
    return index.sorted;
  }

  /** All of all kinds. */
  *all(): Iterable<Resource> {
    for (const { byKey } of this.#byKind.values()) yield* byKey.values();
  }

  put(resource: Resource): void {
    const index = this.#index(resource.kind);
    index.byKey.set(resourceKey(resource), resource);
    index.sorted = undefined;
  }

  delete(key: string): void {
    const index = this.#index(kindOf(key));
    index.byKey.delete(key);
    index.sorted = undefined;
  }

  #index(kind: string): KindIndex {
    let index = this.#byKind.get(kind);
    if (index === undefined) this.#byKind.set(kind, (index = { byKey: new Map(), sorted: undefined }));
    return index;
  }
}

interface KindIndex {
  readonly byKey: Map<string, Resource>;
  sorted: readonly Resource[] | undefined;
}

function kindOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

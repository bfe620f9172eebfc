// Hands committed revisions to those who watch.

import type { Revision } from "./store.ts";

/** Watchers in the order in which they came. */
export class Watchers {
  readonly #watchers = new Set<(revision: Revision) => void>();

  /** Returns how to stop. */
  add(watcher: (revision: Revision) => void): () => void {
    // A function of its own, so that one watcher may be added twice.
    const entry = (revision: Revision): void => watcher(revision);
    this.#watchers.add(entry);
    return () => this.#watchers.delete(entry);
  }

  notify(revision: Revision): void {
    for (const watcher of [...this.#watchers]) watcher(revision);
  }

  clear(): void {
    this.#watchers.clear();
  }
}

// Values in groups, each value under a key of its own in its group.

/** A map of maps that forgets empty groups. */
export class MultiMap<T> {
  readonly #groups = new Map<string, Map<string, T>>();

  /** Sets the value of a key in a group; undefined removes it. */
  set(group: string, key: string, value: T | undefined): void {
    const values = this.#groups.get(group);
    if (value === undefined) {
      values?.delete(key);
      if (values?.size === 0) this.#groups.delete(group);
    } else if (values === undefined) this.#groups.set(group, new Map([[key, value]]));
    else values.set(key, value);
  }

  get(group: string): readonly T[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  /** In the order of their keys. */
  sorted(group: string): readonly T[] {
    const values = this.#groups.get(group);
    if (values === undefined) return [];
    return [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
  }

  count(group: string): number {
    return this.#groups.get(group)?.size ?? 0;
  }
}

// Values in groups: the indices of the compiler.

/** Values in groups, each value under a key of its own in its group. */
export class MultiMap<T> {
  readonly #groups = new Map<string, Map<string, T>>();

  /** Sets the value under a key of a group; undefined takes it out. */
  set(group: string, key: string, value: T | undefined): void {
    const values = this.#groups.get(group);
    if (value === undefined) {
      values?.delete(key);
      if (values?.size === 0) this.#groups.delete(group);
    } else if (values === undefined) this.#groups.set(group, new Map([[key, value]]));
    else values.set(key, value);
  }

  /** In no order that means anything. */
  get(group: string): readonly T[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  /** In the order of their keys. */
  sorted(group: string): readonly T[] {
    return [...(this.#groups.get(group) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
  }

  /** Values in a group. */
  count(group: string): number {
    return this.#groups.get(group)?.size ?? 0;
  }
}

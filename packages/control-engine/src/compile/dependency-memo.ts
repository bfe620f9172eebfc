// Remembers computed values together with what they were computed from, so that a change recomputes its dependents
// and nothing else.

/** Computes the value of a key; names everything it reads. */
export type Compute<T> = (read: (dependency: string) => void) => T;

/** A value that changed. */
export interface Recomputed<T> {
  readonly key: string;
  readonly before: T;
  readonly after: T;
}

interface Entry<T> {
  value: T;
  dependencies: ReadonlySet<string>;
  readonly compute: Compute<T>;
  /** Something that it was computed from has changed since. */
  isStale: boolean;
  /** The value before the changes that `recompute` has not told of yet. */
  untold: { readonly before: T } | undefined;
}

/** Memoised values with dependencies tracked at run time. */
export class DependencyMemo<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #dependents = new Map<string, Set<string>>();
  readonly #onFailure: (key: string, error: unknown) => T;
  #computed = 0;

  /** `onFailure` gives the value of a key whose first computation threw; later ones keep the last good value. */
  constructor(onFailure: (key: string, error: unknown) => T) {
    this.#onFailure = onFailure;
  }

  /** How often a value was computed. */
  get computed(): number {
    return this.#computed;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value of `key`, computed when it is not known yet or stale. */
  get(key: string, compute: Compute<T>): T {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      if (known.isStale) this.#refresh(key, known);
      return known.value;
    }
    const { value, dependencies } = this.#compute(key, compute, undefined);
    this.#entries.set(key, { value, dependencies, compute, isStale: false, untold: undefined });
    this.#link(key, dependencies);
    return value;
  }

  /** Marks what was computed from any of `dependencies` as stale; returns the keys. `recompute` each in time. */
  markStale(dependencies: Iterable<string>): ReadonlySet<string> {
    const keys = new Set<string>();
    for (const dependency of dependencies) for (const key of this.#dependents.get(dependency) ?? []) keys.add(key);
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      entry.isStale = true;
      entry.untold ??= { before: entry.value };
    }
    return keys;
  }

  /** Brings a key that was marked up to date; undefined when it was told of already, or forgotten. */
  recompute(key: string): Recomputed<T> | undefined {
    const entry = this.#entries.get(key);
    if (entry?.untold === undefined) return undefined;
    const { before } = entry.untold;
    entry.untold = undefined;
    if (entry.isStale) this.#refresh(key, entry);
    return { key, before, after: entry.value };
  }

  /** Computes again what was computed from any of `dependencies`; returns those, changed or not. */
  invalidate(dependencies: Iterable<string>): readonly Recomputed<T>[] {
    const recomputed: Recomputed<T>[] = [];
    for (const key of this.markStale(dependencies)) {
      const one = this.recompute(key);
      if (one !== undefined) recomputed.push(one);
    }
    return recomputed;
  }

  /** Whether any value was computed from `dependency`. */
  has(dependency: string): boolean {
    return this.#dependents.has(dependency);
  }

  /** Forgets a key. */
  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#unlink(key, entry.dependencies);
    this.#entries.delete(key);
  }

  #refresh(key: string, entry: Entry<T>): void {
    this.#unlink(key, entry.dependencies);
    const { value, dependencies } = this.#compute(key, entry.compute, entry);
    entry.value = value;
    entry.dependencies = dependencies;
    entry.isStale = false;
    this.#link(key, dependencies);
  }

  #compute(key: string, compute: Compute<T>, known: Entry<T> | undefined): { value: T; dependencies: Set<string> } {
    this.#computed++;
    const dependencies = new Set<string>();
    try {
      return { value: compute((dependency) => dependencies.add(dependency)), dependencies };
    } catch (error) {
      const fallback = this.#onFailure(key, error);
      for (const dependency of known?.dependencies ?? []) dependencies.add(dependency);
      return { value: known === undefined ? fallback : known.value, dependencies };
    }
  }

  #link(key: string, dependencies: ReadonlySet<string>): void {
    for (const dependency of dependencies) {
      const keys = this.#dependents.get(dependency);
      if (keys === undefined) this.#dependents.set(dependency, new Set([key]));
      else keys.add(key);
    }
  }

  #unlink(key: string, dependencies: ReadonlySet<string>): void {
    for (const dependency of dependencies) {
      const keys = this.#dependents.get(dependency);
      keys?.delete(key);
      if (keys?.size === 0) this.#dependents.delete(dependency);
    }
  }
}

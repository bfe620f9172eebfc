// Which services there are in a namespace, declared or implied, so that what lists them is computed again only when one
// comes or goes.

/** Names of services, by namespace. */
export class ServiceNames {
  /** Namespace → name → Services and workloads that make it exist. */
  readonly #namespaces = new Map<string, Map<string, number>>();
  /** Changed since `settle`: namespace → name → whether it was there before. */
  readonly #touched = new Map<string, Map<string, boolean>>();

  /** A Service, or a workload that registered for it, came (true) or went. */
  count(namespace: string, name: string, came: boolean): void {
    let names = this.#namespaces.get(namespace);
    if (names === undefined) this.#namespaces.set(namespace, (names = new Map<string, number>()));
    let touched = this.#touched.get(namespace);
    if (touched === undefined) this.#touched.set(namespace, (touched = new Map<string, boolean>()));
    if (!touched.has(name)) touched.set(name, names.has(name));
    const count = (names.get(name) ?? 0) + (came ? 1 : -1);
    if (count > 0) names.set(name, count);
    else names.delete(name);
    if (names.size === 0) this.#namespaces.delete(namespace);
  }

  /** Names the reads that the changes since the last call affect. */
  settle(affected: Set<string>): void {
    for (const [namespace, names] of this.#touched) {
      for (const [name, wasThere] of names) {
        if (this.#namespaces.get(namespace)?.has(name) !== wasThere) affected.add(dependencyOf(namespace));
      }
    }
    this.#touched.clear();
  }

  /** "NAMESPACE/NAME" of each, in order. A client or a job, which offers no port, is among them. */
  in(namespace: string, read: (dependency: string) => void): readonly string[] {
    read(dependencyOf(namespace));
    return [...(this.#namespaces.get(namespace)?.keys() ?? [])].sort().map((name) => `${namespace}/${name}`);
  }
}

function dependencyOf(namespace: string): string {
  return `services-in:${namespace}`;
}

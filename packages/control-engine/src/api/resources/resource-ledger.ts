// Counts what each namespace has and who claims which name, as the resources change; says before a commit whether it
// stays within what a namespace may have, and takes no other namespace's names.

import { label, resourceKey, type KindRegistry, type Resource, type Violation } from "@ripstop/resources";

import { ownedByAnother, quotaExceeded, resourceTooLarge } from "../../errors.ts";
import type { Failure } from "../../failure.ts";
import type { Change, Store } from "../../store/store.ts";
import { isShared, nameClaims } from "./name-claims.ts";

/** What one namespace may have. */
export interface ResourceLimits {
  /** Resources in a namespace; those of kinds without namespace count together. */
  readonly resourcesPerNamespace: number;
  /** Characters of one resource as JSON. */
  readonly resourceCharacters: number;
}

/** Generous: more than a namespace of a large mesh needs, less than one tenant could harm the others with. */
export const DEFAULT_RESOURCE_LIMITS: ResourceLimits = {
  resourcesPerNamespace: 20_000,
  resourceCharacters: 1024 * 1024,
};

/** The counts of a store. */
export class ResourceLedger {
  readonly #store: Store;
  readonly #limits: ResourceLimits;
  readonly #counts = new Map<string, number>();
  /** Keys of the resources that claim a name, by name. */
  readonly #claims = new Map<string, Set<string>>();
  readonly #stop: () => void;

  constructor(store: Store, kinds: KindRegistry, limits: ResourceLimits = DEFAULT_RESOURCE_LIMITS) {
    this.#store = store;
    this.#limits = limits;
    for (const { kind } of kinds.list()) for (const resource of store.list(kind)) this.#add(resource);
    const watching = store.watch(store.revision, ({ changes }) => {
      for (const change of changes) {
        if (change.before !== undefined) this.#remove(change.before);
        if (change.type === "put") this.#add(change.resource);
      }
    });
    this.#stop = watching.ok ? watching.value : () => undefined;
  }

  close(): void {
    this.#stop();
  }

  /** How many resources a namespace has; "" stands for none. */
  count(namespace: string): number {
    return this.#counts.get(namespace) ?? 0;
  }

  /** Why these changes may not be made, or undefined; with a stop after each of them. */
  *check(changes: readonly Change[]): Generator<undefined, Failure | undefined> {
    return (yield* this.#checkSizes(changes)) ?? this.#checkCounts(changes) ?? (yield* this.#checkClaims(changes));
  }

  *#checkSizes(changes: readonly Change[]): Generator<undefined, Failure | undefined> {
    const { resourceCharacters } = this.#limits;
    for (const change of changes) {
      if (change.type !== "put") continue;
      const { length } = JSON.stringify(change.resource);
      yield;
      if (length <= resourceCharacters) continue;
      const message = `${label(change.resource)} has ${length} characters; at most ${resourceCharacters} are kept`;
      return { kind: resourceTooLarge, message };
    }
    return undefined;
  }

  #checkCounts(changes: readonly Change[]): Failure | undefined {
    const added = new Map<string, number>();
    for (const change of changes) {
      const resource = change.type === "put" ? change.resource : change.before;
      const step = change.type === "delete" ? -1 : change.before === undefined ? 1 : 0;
      const { namespace } = resource.metadata;
      added.set(namespace, (added.get(namespace) ?? 0) + step);
    }
    const { resourcesPerNamespace } = this.#limits;
    for (const [namespace, more] of added) {
      const now = this.count(namespace);
      // Whoever is over a limit that was lowered can still delete.
      if (more <= 0 || now + more <= resourcesPerNamespace) continue;
      const where = namespace === "" ? "outside of namespaces" : `in namespace ${namespace}`;
      const message = `there are ${now} resources ${where} and this adds ${more}; at most ${resourcesPerNamespace} are allowed`;
      return { kind: quotaExceeded, message };
    }
    return undefined;
  }

  *#checkClaims(changes: readonly Change[]): Generator<undefined, Failure | undefined> {
    const gone = new Set(changes.flatMap((change) => (change.type === "delete" ? [change.key] : [])));
    const after = new Map(
      changes.flatMap((change) => (change.type === "put" ? [[resourceKey(change.resource), change.resource]] : [])),
    );
    const get = (key: string): Resource | undefined => after.get(key) ?? this.#store.get(key);
    const taken = new Map<string, Resource>();
    const violations: Violation[] = [];
    for (const change of changes) {
      if (change.type !== "put") continue;
      const { resource } = change;
      yield;
      for (const claim of nameClaims(resource)) {
        if (isShared(claim, get)) continue;
        const holder = taken.get(claim.name) ?? this.#holder(claim.name, { resource, after, gone });
        taken.set(claim.name, holder ?? resource);
        if (holder === undefined || holder.metadata.namespace === resource.metadata.namespace) continue;
        violations.push({
          path: claim.path,
          message: `the ${claim.name} belongs to namespace ${holder.metadata.namespace}: ${label(holder)} has it`,
          remedy: "use another one, or let its owner give it up",
          resource: label(resource),
        });
      }
    }
    const [first] = violations;
    if (first === undefined) return undefined;
    return {
      kind: ownedByAnother,
      message: `${first.resource}: ${first.message}`,
      violations: violations.slice(0, 100),
    };
  }

  /** Who of another namespace has the name and keeps it. */
  #holder(
    name: string,
    {
      resource,
      after,
      gone,
    }: {
      readonly resource: Resource;
      readonly after: ReadonlyMap<string, Resource>;
      readonly gone: ReadonlySet<string>;
    },
  ): Resource | undefined {
    for (const key of this.#claims.get(name) ?? []) {
      // What the same change rewrites is looked at as it will be.
      if (gone.has(key) || after.has(key)) continue;
      const holder = this.#store.get(key);
      if (holder !== undefined && holder.metadata.namespace !== resource.metadata.namespace) return holder;
    }
    return undefined;
  }

  #add(resource: Resource): void {
    const { namespace } = resource.metadata;
    this.#counts.set(namespace, this.count(namespace) + 1);
    for (const { name } of nameClaims(resource)) {
      let keys = this.#claims.get(name);
      if (keys === undefined) this.#claims.set(name, (keys = new Set()));
      keys.add(resourceKey(resource));
    }
  }

  #remove(resource: Resource): void {
    const { namespace } = resource.metadata;
    const left = this.count(namespace) - 1;
    if (left > 0) this.#counts.set(namespace, left);
    else this.#counts.delete(namespace);
    for (const { name } of nameClaims(resource)) {
      const keys = this.#claims.get(name);
      keys?.delete(resourceKey(resource));
      if (keys?.size === 0) this.#claims.delete(name);
    }
  }
}

// The kinds that a mesh knows, found by the names people use.

import { closest } from "./closest.ts";
import type { Kind } from "./kind.ts";
import { compileSchema, type SchemaChecker } from "./schema.ts";

/** A kind with its compiled schema. */
export interface KnownKind {
  readonly kind: Kind;
  readonly checker: SchemaChecker;
}

/** Finds kinds. Names of kinds are unique across groups. */
export class KindRegistry {
  readonly #byKind = new Map<string, KnownKind>();
  readonly #byAlias = new Map<string, KnownKind>();

  /** Throws when two kinds claim one name, or a schema is wrong: both are bugs of the program. */
  constructor(kinds: Iterable<Kind>) {
    for (const kind of kinds) {
      const known: KnownKind = { kind, checker: compileSchema(kind.schema) };
      if (this.#byKind.has(kind.kind)) throw new Error(`two kinds are named ${kind.kind}`);
      this.#byKind.set(kind.kind, known);
      for (const alias of new Set([kind.kind.toLowerCase(), kind.plural, ...kind.shortNames])) {
        if (this.#byAlias.has(alias)) throw new Error(`two kinds claim the name ${alias}`);
        this.#byAlias.set(alias, known);
      }
    }
  }

  /** The kind by its exact name: "HTTPRoute". */
  get(kind: string): KnownKind | undefined {
    return this.#byKind.get(kind);
  }

  /** The kind by any of its names, upper or lower case: "httproutes", "HTTPRoute", a short name. */
  find(name: string): KnownKind | undefined {
    return this.#byAlias.get(name.toLowerCase());
  }

  /** The kind name that a mistyped one was most likely meant to be. */
  closest(name: string): string | undefined {
    return closest(name, this.#byKind.keys());
  }

  /** Every kind, in the order given. */
  list(): readonly Kind[] {
    return [...this.#byKind.values()].map(({ kind }) => kind);
  }
}

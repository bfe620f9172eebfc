// One kind of resource: its schema and what the schema cannot say.

import type { Resource } from "./resource.ts";
import type { Violation } from "./violation.ts";

/** JSON Schema (draft-07 subset that Kubernetes structural schemas use, with `default`). */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** A kind of resource. One folder each. */
export interface Kind<Spec = unknown> {
  readonly apiVersion: string;
  readonly kind: string;
  /** Lower case plural, as on the command line: "httproutes". */
  readonly plural: string;
  /** Further names on the command line. */
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  /** Schema of `spec` (or of the whole body but metadata, for kinds without spec such as Secret). */
  readonly schema: JsonSchema;
  /** Fields at the top of the document that make up the spec, for kinds that have no field `spec` ("data" of a Secret). */
  readonly bodyFields?: readonly string[];
  /** Further versions that documents may be written in; they mean the same. */
  readonly otherVersions?: readonly string[];
  /** The spec as it may be shown to people: without secrets. Absent when all of it may be shown. */
  redact?(spec: Spec): Spec;
  /** Rules beyond the schema, on a resource that already fits the schema and has its defaults. `resource` and `source` are filled in by the caller. */
  validate(resource: Resource<Spec>): Pick<Violation, "path" | "message" | "remedy">[];
  /** Rules that need other resources: references and conflicts. Absent when there are none. */
  validateReferences?(
    resource: Resource<Spec>,
    lookup: ResourceLookup,
  ): Pick<Violation, "path" | "message" | "remedy">[];
}

/** The resources as they would be after the change that is being validated. */
export interface ResourceLookup {
  get(kind: string, namespace: string, name: string): Resource | undefined;
  list(kind: string): Iterable<Resource>;
}

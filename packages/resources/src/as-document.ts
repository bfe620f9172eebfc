// A resource as a document: as its author writes it, and as people may see it.

import type { Kind } from "./kind.ts";
import type { Resource } from "./resource.ts";

/** The fields after metadata: `spec`, or the body of kinds that have none. */
export function bodyOf(resource: Resource, kind: Kind | undefined): Readonly<Record<string, unknown>> {
  return kind?.bodyFields === undefined ? { spec: resource.spec } : { ...(resource.spec as object) };
}

/** Without what must not be shown. */
export function redacted(resource: Resource, kind: Kind | undefined): Resource {
  return kind?.redact === undefined ? resource : { ...resource, spec: kind.redact(resource.spec) };
}

/** The document to show: secrets hidden, the body where its kind has it. */
export function shownDocument(resource: Resource, kind: Kind | undefined): Readonly<Record<string, unknown>> {
  const { spec: _spec, status, ...head } = redacted(resource, kind);
  return { ...head, ...bodyOf(redacted(resource, kind), kind), ...(status === undefined ? {} : { status }) };
}

// L2: resource kinds, schema kit, violations.

export type { JsonSchema, Kind, ResourceLookup } from "./kind.ts";
export { resourceKey, resourceName, type Metadata, type Resource } from "./resource.ts";
export type { SourcePosition, Violation } from "./violation.ts";

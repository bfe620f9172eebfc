// The catalogue of the API: of every route what it does, who may call it, what it takes and what it answers. The
// listeners check access by it, the audit log knows writes by it, and OpenAPI is generated from it. A route that is not
// in it is the admins' affair (and a test fails).

import { accessOperations } from "./operations/access.ts";
import { identityOperations } from "./operations/identity.ts";
import type { Access, Operation } from "./operations/operation.ts";
import { observeOperations } from "./operations/observe.ts";
import { resourceOperations } from "./operations/resources.ts";
import { workloadOperations } from "./operations/workloads.ts";

/** Operations by method and path: "GET /v1/resources/:kind/:namespace/:name". */
export const operations: ReadonlyMap<string, Operation> = new Map(
  Object.entries({
    ...resourceOperations,
    ...workloadOperations,
    ...identityOperations,
    ...observeOperations,
    ...accessOperations,
  }),
);

/** Who may call a route. */
export function accessOf(method: string, path: string): Access {
  return operations.get(`${method} ${path}`)?.access ?? "admin";
}

/** Whether the audit log has a line for it even when it is done: it changes something, or reads what only admins may. */
export function isRecorded(operation: string): boolean {
  return !operation.startsWith("GET ") && operations.get(operation)?.isUnrecorded !== true;
}

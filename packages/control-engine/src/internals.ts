// Parts of the control plane for programs that measure it: they fill a home by the same code that a running one uses.

export { Registry, type RegistryOptions } from "./registry/registry.ts";
export type { RegisteredWorkload } from "./registry/registered-workload.ts";
export { openStore } from "./store/open-store.ts";
export type { Store, Table } from "./store/store.ts";

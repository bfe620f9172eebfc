// The control plane: store, registry, compile, distribute, authority, api.

export { allKinds } from "./all-kinds.ts";
export { openApiDocument } from "./api/openapi.ts";
export { restoreHome, type RestoredHome } from "./backup/restore-home.ts";
export { startControl } from "./control.ts";
export type { Control, ControlOptions } from "./control-options.ts";
export type { Failure } from "./failure.ts";
export type { ControlFile } from "./home/home-files.ts";
export type { EtcdSettings } from "./store/open-store.ts";

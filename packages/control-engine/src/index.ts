// The control plane: store, registry, compile, distribute, authority, api.

export { startControl, type Control, type ControlOptions } from "./control.ts";
export type { Failure } from "./failure.ts";
export type { ControlFile } from "./home/home-files.ts";
export type { EtcdSettings } from "./store/open-store.ts";

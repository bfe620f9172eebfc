// The config stream, control plane side.

export type { ResourceSource, Subscriber, VersionedResource } from "./snapshot.ts";

// The config stream, control plane side.

export type { PeerVerdict, PeerVerifier } from "../peer-verifier.ts";
export { startDiscoveryServer, type DiscoveryServer } from "./discovery-server.ts";
export type { ProxyStreamStatus } from "./distributor.ts";
export type { ServerTls } from "./tls-listener.ts";
export type { DiscoveryServerOptions, SharedStore, SharedTables } from "./server-options.ts";
export type { NameList, ResourceSource, Subscriber, VersionedResource } from "./snapshot.ts";
export type { StreamLimits } from "./stream-limits.ts";

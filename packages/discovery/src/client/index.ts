// The config stream, proxy side.

export { encodeCache, type CachedResource, type CachedResources } from "./config-cache.ts";
export { ClientCredentials, type CredentialFiles } from "./client-credentials.ts";
export type { PeerVerdict, PeerVerifier } from "../peer-verifier.ts";
export type { ConfigClient, Subscription, Watcher } from "./config-client.ts";
export { ConfigStream, type ConfigStreamOptions } from "./config-stream.ts";
export { GrpcStream, type GrpcStreamEvents } from "./grpc-stream.ts";
export { ControlConnection, type ControlConnectionOptions, type SessionUser } from "./control-connection.ts";
export { startDiscoveryClient, type DiscoveryClient, type DiscoveryClientOptions } from "./discovery-client.ts";
export type { TelemetryChannel } from "./telemetry-channel.ts";

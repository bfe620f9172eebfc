// L1: connections, listeners, TLS.

export type { CloseCause, Conn, ConnHandler, TlsInfo } from "./conn.ts";
export { CLEAN_CLOSE, CLOSED_HERE, causeOf, closeCause } from "./close-cause.ts";
export { dial, type DialEvents, type DialOptions } from "./dial.ts";
export * from "./errors.ts";
export { listen, type Listener, type ListeningSocket, type ListenOptions } from "./listen.ts";
export { onreadTier } from "./tiers/onread-tier.ts";
export { publicTier } from "./tiers/public-tier.ts";
export { rawTier } from "./tiers/raw-tier.ts";
export type { Connecting, Tier, TierName } from "./tiers/tier.ts";
export { currentTier, useTier } from "./current-tier.ts";
export { selectTier, type SelectTierOptions } from "./select-tier.ts";
export { ClientHelloReader, MAX_HELLO_RECORD_BYTES, type ClientHello, type HelloState } from "./tls/client-hello.ts";
export { BackendTlsDialer, type BackendDial, type BackendName, type BackendTlsRules } from "./tls/backend-tls.ts";
export { listenEdge, type EdgeChoice, type EdgeListenOptions } from "./tls/edge-listener.ts";
export { EdgeTerminator, type EdgeCertificate, type EdgeTerminatorOptions } from "./tls/edge-terminator.ts";
export { IdentityTable, type TlsIdentity } from "./tls/identity-table.ts";
export {
  callerLabel,
  meshServerName,
  withCaller,
  parseMeshServerName,
  type MeshServerName,
} from "./tls/mesh-server-name.ts";
export type { PeerVerdict, VerifyPeer } from "./tls/peer-verdict.ts";
export { TlsDialer, type DialTlsOptions } from "./tls/tls-client.ts";
export { normalSerialNumber, RevocationList, revocationText, type Revocation } from "./tls/revocation-list.ts";
export { createTlsObserver, type TlsObserver, type TlsRefusal } from "./tls/tls-observer.ts";
export { listenTls, type ListenTlsOptions } from "./tls/tls-server.ts";
export {
  encodeProxyHeader,
  MAX_PROXY_HEADER_BYTES,
  readProxyHeader,
  type ProxyAddress,
  type ProxyAddresses,
  type ProxyHeader,
  type ProxyHeaderRead,
} from "./proxy-protocol/proxy-header.ts";
export { ipToBytes } from "./proxy-protocol/ip-bytes.ts";
export { awaitProxyHeader, type ProxyHeaderRules } from "./proxy-protocol/proxied-conn.ts";
export { FlushScheduler, type Flushable } from "./flush-scheduler.ts";
export { TimerWheel, WheelTimer, type TimerWheelOptions } from "./timer-wheel.ts";

// L1: connections, listeners, TLS.

export type { CloseCause, Conn, ConnHandler, TlsInfo } from "./conn.ts";
export { CLEAN_CLOSE, CLOSED_HERE, causeOf, closeCause } from "./close-cause.ts";
export { dial, type DialEvents, type DialOptions } from "./dial.ts";
export * from "./errors.ts";
export { listen, type Listener, type ListenOptions } from "./listen.ts";
export { publicTier } from "./tiers/public-tier.ts";
export type { Connecting, Tier, TierName } from "./tiers/tier.ts";
export { currentTier, useTier } from "./transport.ts";

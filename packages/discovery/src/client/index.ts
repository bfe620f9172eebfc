// The config stream, proxy side.

export type { ConfigClient, Subscription, Watcher } from "./config-client.ts";

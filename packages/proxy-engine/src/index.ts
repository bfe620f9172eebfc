// The data plane: accept, identify, detect, route, filter, balance, connect.

export { startProxy, type Proxy, type ProxyOptions } from "./proxy.ts";
export type { ProxyListener } from "./1-accept/proxy-listeners.ts";
export type { LiveCounts } from "./engine.ts";
export type { ReportSink } from "./telemetry/telemetry-reporter.ts";

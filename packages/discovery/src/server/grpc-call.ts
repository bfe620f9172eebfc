// One call at the endpoint, as gRPC hands it over: who calls, and how it ends.

import { X509Certificate } from "node:crypto";

import type { discovery, telemetry } from "@ripstop/model";
import type { ServerDuplexStream, status } from "@grpc/grpc-js";

/** A config stream. */
export type ConfigCall = ServerDuplexStream<discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse>;
/** A telemetry stream. */
export type TelemetryCall = ServerDuplexStream<telemetry.ProxyReport, telemetry.ProxyCommand>;

/** The client's certificate, which TLS has verified; undefined when there is none that can be read. */
export function leafOf(call: ConfigCall | TelemetryCall): X509Certificate | undefined {
  const raw: unknown = call.getAuthContext().sslPeerCertificate?.raw;
  try {
    return Buffer.isBuffer(raw) ? new X509Certificate(raw) : undefined;
  } catch {
    return undefined;
  }
}

/** Ends a call with a gRPC status. */
export function fail(call: ConfigCall | TelemetryCall, code: status, details: string): void {
  call.emit("error", { code, details });
}

/** Calls `ended` when the call is over, in whichever way; it may be called more than once. */
export function onEnded(call: ConfigCall | TelemetryCall, ended: () => void): void {
  call.on("end", () => {
    ended();
    call.end();
  });
  call.on("cancelled", ended);
  call.on("error", ended);
  call.on("close", ended);
}

// The gRPC services of the control plane's stream endpoint, as grpc-js wants them described.

import { discovery, telemetry } from "@ripstop/model";
import type { MethodDefinition } from "@grpc/grpc-js";

import { encodeResponse } from "./encode-response.ts";

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

function bidiStream<In, Out>(path: string, input: Codec<In>, output: Codec<Out>): MethodDefinition<In, Out> {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: (message) => asBuffer(input.encode(message).finish()),
    requestDeserialize: (bytes) => input.decode(bytes),
    responseSerialize: (message) => asBuffer(output.encode(message).finish()),
    responseDeserialize: (bytes) => output.decode(bytes),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** envoy.service.discovery.v3.AggregatedDiscoveryService, the incremental method. */
export const aggregatedDiscoveryService: {
  readonly deltaAggregatedResources: MethodDefinition<
    discovery.DeltaDiscoveryRequest,
    discovery.DeltaDiscoveryResponse
  >;
} = {
  deltaAggregatedResources: {
    ...bidiStream(
      "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
      discovery.DeltaDiscoveryRequest,
      discovery.DeltaDiscoveryResponse,
    ),
    responseSerialize: encodeResponse,
  },
};

/** ripstop.telemetry.v1.TelemetryService. */
export const telemetryService: {
  readonly report: MethodDefinition<telemetry.ProxyReport, telemetry.ProxyCommand>;
} = {
  report: bidiStream("/ripstop.telemetry.v1.TelemetryService/Report", telemetry.ProxyReport, telemetry.ProxyCommand),
};

/** Metadata key by which a telemetry stream says which proxy it belongs to. */
export const proxyIdMetadata: string = "ripstop-proxy-id";

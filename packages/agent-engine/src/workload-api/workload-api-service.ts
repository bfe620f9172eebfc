// The service SpiffeWorkloadAPI as grpc-js wants it described. The profile for WIT-SVIDs is not served: grpc-js answers
// UNIMPLEMENTED, as the standard wants (SPIFFE Workload API §7).

import type { MethodDefinition } from "@grpc/grpc-js";
import {
  JWTBundlesRequest,
  JWTBundlesResponse,
  JWTSVIDRequest,
  JWTSVIDResponse,
  ValidateJWTSVIDRequest,
  ValidateJWTSVIDResponse,
  X509BundlesRequest,
  X509BundlesResponse,
  X509SVIDRequest,
  X509SVIDResponse,
} from "@ripstop/model/workload-api";

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

function method<In, Out>(
  name: string,
  codecs: readonly [Codec<In>, Codec<Out>],
  responseStream: boolean,
): MethodDefinition<In, Out> {
  const [input, output] = codecs;
  return {
    path: `/SpiffeWorkloadAPI/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: (message) => asBuffer(input.encode(message).finish()),
    requestDeserialize: (bytes) => input.decode(bytes),
    responseSerialize: (message) => asBuffer(output.encode(message).finish()),
    responseDeserialize: (bytes) => output.decode(bytes),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Method names are the proto's; they are also the keys of the handlers. */
export type WorkloadApiService = {
  readonly FetchX509SVID: MethodDefinition<X509SVIDRequest, X509SVIDResponse>;
  readonly FetchX509Bundles: MethodDefinition<X509BundlesRequest, X509BundlesResponse>;
  readonly FetchJWTSVID: MethodDefinition<JWTSVIDRequest, JWTSVIDResponse>;
  readonly FetchJWTBundles: MethodDefinition<JWTBundlesRequest, JWTBundlesResponse>;
  readonly ValidateJWTSVID: MethodDefinition<ValidateJWTSVIDRequest, ValidateJWTSVIDResponse>;
};

/** The service. */
export const workloadApiService: WorkloadApiService = {
  FetchX509SVID: method("FetchX509SVID", [X509SVIDRequest, X509SVIDResponse], true),
  FetchX509Bundles: method("FetchX509Bundles", [X509BundlesRequest, X509BundlesResponse], true),
  FetchJWTSVID: method("FetchJWTSVID", [JWTSVIDRequest, JWTSVIDResponse], false),
  FetchJWTBundles: method("FetchJWTBundles", [JWTBundlesRequest, JWTBundlesResponse], true),
  ValidateJWTSVID: method("ValidateJWTSVID", [ValidateJWTSVIDRequest, ValidateJWTSVIDResponse], false),
};

// Protocol names of resources and registrations to the model's.

import { Protocol } from "@ripstop/model";

/** The protocol that a Service port's appProtocol declares (KEP-3726 names too); unspecified when it says nothing known. */
export function protocolOfAppProtocol(appProtocol: string | undefined): Protocol {
  switch (appProtocol?.toLowerCase()) {
    case "http":
    case "http1":
    case "kubernetes.io/ws":
      return Protocol.HTTP1;
    case "http2":
    case "h2c":
    case "kubernetes.io/h2c":
      return Protocol.HTTP2;
    case "grpc":
      return Protocol.GRPC;
    case "tcp":
      return Protocol.TCP;
    case "tls":
    case "https":
    case "kubernetes.io/wss":
      return Protocol.TLS;
    default:
      return Protocol.UNSPECIFIED;
  }
}

/** The protocol that a workload registered for a port; "auto" is unspecified. */
export function protocolOfRegistration(protocol: string): Protocol {
  return protocolOfAppProtocol(protocol);
}

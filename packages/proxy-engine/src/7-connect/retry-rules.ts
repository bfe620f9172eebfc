// Which requests may be sent again, as pure functions (RFC 9110 §9.2.2; gRPC A6 for UNAVAILABLE).

import type { HeaderList } from "@ripstop/http";

/** Whether sending the request twice has the effect of sending it once. */
export function isIdempotent(method: string): boolean {
  switch (method) {
    case "GET":
    case "HEAD":
    case "OPTIONS":
    case "PUT":
    case "DELETE":
    case "TRACE":
      return true;
    default:
      return false;
  }
}

/** Whether a response's status invites another try. */
export function isRetryableStatus(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}

/** Whether a response is a gRPC "unavailable" without any message: the server did not process the call. */
export function isGrpcUnavailable(headers: HeaderList, end: boolean): boolean {
  return end && headers.get("grpc-status") === "14";
}

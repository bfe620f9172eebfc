// Answers that the proxy makes itself: JSON, plain text or a gRPC status, by what the client accepts; always with a code
// and the cause in plain words.

import type { ErrorKind } from "@ripstop/core";
import type { Denial } from "@ripstop/policy-api/proxy";
import { httpDate, ResponseHead, type RequestHead, type ServerStream } from "@ripstop/http";

/** Why the proxy answers in place of the service. */
export interface Refusal {
  readonly kind: ErrorKind;
  /** One plain sentence. */
  readonly message: string;
  /** The same for the operator, who may know more than the caller: for logs and tap, never sent. */
  readonly detail: string;
  /** "NAMESPACE/NAME" of the policy that decided; "" when none did. */
  readonly policy: string;
  /** The deciding clause; "" when there is none. */
  readonly clause: string;
  /** HTTP status in place of that of `kind`. */
  readonly status?: number;
  /** gRPC status in place of that of `kind`. */
  readonly grpcStatus?: number;
  /** Further header fields of the answer. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** A refusal that no policy decided. */
export function refusal(kind: ErrorKind, message: string): Refusal {
  return { kind, message, detail: message, policy: "", clause: "" };
}

/** The refusal that a policy's denial stands for. */
export function denialRefusal(denial: Denial): Refusal {
  const { kind, message, detail = message, policy, clause, status, grpcStatus, headers } = denial;
  return {
    kind,
    message,
    detail,
    policy,
    clause,
    ...(status === undefined ? {} : { status }),
    ...(grpcStatus === undefined ? {} : { grpcStatus }),
    ...(headers === undefined ? {} : { headers }),
  };
}

/** Header that carries the code of an error that a proxy of the mesh answered with. */
export const ERROR_HEADER = "x-ripstop-error";

/** Whether the request is gRPC (its content type says so). */
export function isGrpc(request: RequestHead): boolean {
  const type = request.headers.get("content-type");
  return type !== undefined && type.startsWith("application/grpc") && !type.startsWith("application/grpc-web");
}

/** Whether the request is a call of a method that may stream, over HTTP/2: gRPC, or Connect's streaming methods. */
export function isStreamingCall(request: RequestHead): boolean {
  return isGrpc(request) || request.headers.get("content-type")?.startsWith("application/connect+") === true;
}

function prefersText(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const text = accept.indexOf("text/plain");
  if (text < 0) return false;
  const json = accept.indexOf("json");
  return json < 0 || text < json;
}

/** grpc-message is percent-encoded UTF-8 (gRPC over HTTP/2). */
function encodeGrpcMessage(text: string): string {
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** Sends the refusal as the final response, at `nowMs` by the wall clock, and returns the HTTP status that was sent. */
export function sendRefusal(stream: ServerStream, request: RequestHead, refused: Refusal, nowMs: number): number {
  const { kind, message, policy, clause } = refused;
  const requestId = request.headers.get("x-request-id") ?? "";
  const head = new ResponseHead();
  head.headers.append("date", httpDate(nowMs));
  head.headers.append(ERROR_HEADER, kind.code);
  for (const [name, value] of refused.headers ?? []) head.headers.append(name, value);
  if (requestId !== "") head.headers.append("x-request-id", requestId);
  if (isGrpc(request)) {
    head.status = 200;
    head.headers.append("content-type", "application/grpc");
    head.headers.append("grpc-status", String(refused.grpcStatus ?? kind.grpcStatus));
    head.headers.append("grpc-message", encodeGrpcMessage(`${kind.code} ${message}`));
    stream.sendResponse(head, true);
    return 200;
  }
  head.status = refused.status ?? kind.status;
  let body: string;
  if (prefersText(request.headers.get("accept"))) {
    head.headers.append("content-type", "text/plain; charset=utf-8");
    body = `${kind.code} ${kind.title}\n${message}\n`;
    if (policy !== "") body += `policy: ${policy}\nclause: ${clause}\n`;
    if (requestId !== "") body += `request id: ${requestId}\n`;
  } else {
    head.headers.append("content-type", "application/json");
    const facts = {
      code: kind.code,
      title: kind.title,
      message,
      ...(policy === "" ? {} : { policy, clause }),
      ...(requestId === "" ? {} : { requestId }),
    };
    body = `${JSON.stringify({ error: facts })}\n`;
  }
  const bytes = Buffer.from(body, "utf8");
  head.contentLength = bytes.length;
  if (request.method === "HEAD") {
    stream.sendResponse(head, true);
    return head.status;
  }
  stream.sendResponse(head, false);
  stream.sendBody(bytes, 0, bytes.length);
  stream.sendEnd();
  return head.status;
}

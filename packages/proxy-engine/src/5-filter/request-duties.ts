// What every request gets on its way: a request id, a trace context, forwarded fields.

import type { RequestHead } from "@ripstop/http";
import { continueTrace, newRequestId } from "./ids.ts";

/** Ids of one request. */
export interface RequestIds {
  readonly requestId: string;
  /** 32 hex digits. */
  readonly traceId: string;
}

/** Fields that only proxies of the mesh may set; a client's own are removed. */
const MESH_FIELDS: readonly string[] = ["x-ripstop-error", "x-ripstop-source-service", "x-ripstop-source-identity"];

const MAX_REQUEST_ID = 128;

function keepOrMakeRequestId(request: RequestHead): string {
  const given = request.headers.get("x-request-id");
  if (given !== undefined && given.length > 0 && given.length <= MAX_REQUEST_ID) return given;
  const made = newRequestId();
  request.headers.set("x-request-id", made);
  return made;
}

/** On the way out of the application: removes what it may not claim, adds ids; `sourceService` tells the other end who calls. */
export function applyOutboundDuties(request: RequestHead, sourceService: string): RequestIds {
  const { headers } = request;
  for (const name of MESH_FIELDS) headers.remove(name);
  if (sourceService !== "") headers.append("x-ripstop-source-service", sourceService);
  const requestId = keepOrMakeRequestId(request);
  return { requestId, traceId: continueTrace(headers) };
}

/** Who calls, as the connection proves it. */
export interface InboundCaller {
  readonly address: string;
  /** "" when the connection is plain. */
  readonly identity: string;
  /** Namespace of the identity. */
  readonly namespace: string;
}

/** Ids of an inbound request, and the service that its proxy says it comes from. */
export interface InboundIds extends RequestIds {
  /** "NAMESPACE/NAME"; "" when unknown. Told by an authenticated proxy of that namespace; for telemetry only. */
  readonly sourceService: string;
}

/** On the way to the application: ids, the caller's address and verified identity. */
export function applyInboundDuties(request: RequestHead, caller: InboundCaller): InboundIds {
  const { headers } = request;
  const claimed = headers.get("x-ripstop-source-service") ?? "";
  for (const name of MESH_FIELDS) headers.remove(name);
  const sourceService = claimed !== "" && claimed.startsWith(`${caller.namespace}/`) && claimed.length <= 128 ? claimed : "";
  if (caller.identity !== "") headers.append("x-ripstop-source-identity", caller.identity);
  const forwarded = headers.get("x-forwarded-for");
  headers.set("x-forwarded-for", forwarded === undefined ? caller.address : `${forwarded}, ${caller.address}`);
  if (headers.indexOf("x-forwarded-proto", 0) < 0) headers.append("x-forwarded-proto", request.scheme === "" ? "http" : request.scheme);
  const requestId = keepOrMakeRequestId(request);
  return { requestId, traceId: continueTrace(headers), sourceService };
}

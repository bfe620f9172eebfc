// What every request gets on its way: a request id, a trace context, forwarded fields.

import type { HeaderList, RequestHead } from "@ripstop/http";
import { isTraceparent, nextTraceparent, type RandomIds } from "@ripstop/telemetry";

const SOURCE_SERVICE = "x-ripstop-source-service";
const FORWARDED_FOR = "x-forwarded-for";
const SOURCE_IDENTITY = "x-ripstop-source-identity";
/** The port that the caller named is declared as HTTP/2: so is the application to be spoken to, if it does not say itself. */
const DECLARED_HTTP2 = "x-ripstop-http2";
/**
 * Fields that only proxies of the mesh may set start so; a client's own are removed, with underscores as well:
 * applications that read fields as CGI variables cannot tell the two apart.
 */
const MESH_PREFIX = /^x[-_]ripstop[-_]/;
const LETTER_X = 0x78;
const LETTER_R = 0x72;
const MAX_REQUEST_ID = 128;
const MAX_SERVICE_NAME = 128;

/** Removes what only proxies of the mesh may say, from a header or trailer section. True when that was `declareHttp2`. */
export function removeMeshFields(headers: HeaderList): boolean {
  let isHttp2 = false;
  for (let at = headers.length - 1; at >= 0; at--) {
    const name = headers.nameAt(at);
    // Two letters first: they settle it for nearly every name without a call.
    if (name.charCodeAt(0) !== LETTER_X || name.charCodeAt(2) !== LETTER_R || !MESH_PREFIX.test(name)) continue;
    if (name === DECLARED_HTTP2) isHttp2 = true;
    headers.remove(name);
    // It may have stood there more than once.
    if (at > headers.length) at = headers.length;
  }
  return isHttp2;
}

/** Tells the peer's proxy that the service's port is declared as HTTP/2. Proxies of older versions take it away unread. */
export function declareHttp2({ headers }: RequestHead): void {
  headers.set(DECLARED_HTTP2, "1");
}

/** Takes that back, for a destination without a proxy. */
export function undeclareHttp2({ headers }: RequestHead): void {
  headers.remove(DECLARED_HTTP2);
}

function addIds(headers: HeaderList, ids: RandomIds): void {
  const requestId = headers.get("x-request-id");
  if (requestId === undefined || requestId === "" || requestId.length > MAX_REQUEST_ID) {
    headers.set("x-request-id", ids.requestId());
  }
  const trace = headers.get("traceparent");
  // The state belongs to a trace that cannot be read (W3C Trace Context §3.3).
  if (trace === undefined) {
    headers.append("traceparent", nextTraceparent(undefined, ids));
    return;
  }
  if (!isTraceparent(trace)) headers.remove("tracestate");
  headers.set("traceparent", nextTraceparent(trace, ids));
}

/** On the way out of the application: removes what it may not claim, adds ids; `sourceService` tells the other end who calls. */
export function applyOutboundDuties(request: RequestHead, sourceService: string, ids: RandomIds): void {
  const { headers } = request;
  removeMeshFields(headers);
  if (sourceService !== "") headers.append(SOURCE_SERVICE, sourceService);
  addIds(headers, ids);
}

/** Takes from an outbound request what only a proxy of the mesh should see, for a destination outside of it. */
export function removeOutboundFields(request: RequestHead): void {
  request.headers.remove(SOURCE_SERVICE);
}

/** Who calls, as the connection proves it. */
export interface InboundCaller {
  readonly address: string;
  /** "" when the connection is plain. */
  readonly identity: string;
  /** Namespace of the identity. */
  readonly namespace: string;
}

/**
 * The service that a caller's proxy says it belongs to, "NAMESPACE/NAME"; "" when it says none, or one of another
 * namespace than its identity's. For telemetry only.
 */
export function claimedService(headers: HeaderList, caller: InboundCaller): string {
  const claimed = headers.get(SOURCE_SERVICE) ?? "";
  return claimed.length <= MAX_SERVICE_NAME && claimed.startsWith(`${caller.namespace}/`) ? claimed : "";
}

/** Adds `address` behind those that the request was forwarded for before, in however many fields they stand. */
export function addForwardedFor(headers: HeaderList, address: string): void {
  const at = headers.indexOf(FORWARDED_FOR, 0);
  if (at < 0) {
    headers.append(FORWARDED_FOR, address);
    return;
  }
  const isOne = headers.indexOf(FORWARDED_FOR, at + 1) < 0;
  const before = isOne ? headers.valueAt(at) : headers.getAll(FORWARDED_FOR).join(", ");
  headers.set(FORWARDED_FOR, `${before}, ${address}`);
}

/**
 * On the way to the application: ids, the caller's address and verified identity. Takes `claimedService` away: read it
 * before. True when the caller's proxy declared HTTP/2.
 */
export function applyInboundDuties(request: RequestHead, caller: InboundCaller, ids: RandomIds): boolean {
  const { headers } = request;
  const isHttp2 = removeMeshFields(headers);
  if (caller.identity !== "") headers.append(SOURCE_IDENTITY, caller.identity);
  addForwardedFor(headers, caller.address);
  if (headers.indexOf("x-forwarded-proto", 0) < 0)
    headers.append("x-forwarded-proto", request.scheme === "" ? "http" : request.scheme);
  addIds(headers, ids);
  return isHttp2;
}

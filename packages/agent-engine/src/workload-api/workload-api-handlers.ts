// The methods of the SPIFFE Workload API (standard §5 and §6) over a source of identities.

import { createHash } from "node:crypto";

import {
  status,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type sendUnaryData,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import type { Clock } from "@ripstop/core";
import { parseJwks, validateJwtSvid, type JwtAuthority } from "@ripstop/identity/jwt";
import type {
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

import type {
  IdentityRefusal,
  JwtSvid,
  PeerCredentials,
  TrustDomainBundle,
  WorkloadIdentities,
  WorkloadIdentitySource,
} from "../workload-identity-source.ts";

/** One handler per method of the service. */
export type WorkloadApiHandlers = {
  readonly FetchX509SVID: handleServerStreamingCall<X509SVIDRequest, X509SVIDResponse>;
  readonly FetchX509Bundles: handleServerStreamingCall<X509BundlesRequest, X509BundlesResponse>;
  readonly FetchJWTSVID: handleUnaryCall<JWTSVIDRequest, JWTSVIDResponse>;
  readonly FetchJWTBundles: handleServerStreamingCall<JWTBundlesRequest, JWTBundlesResponse>;
  readonly ValidateJWTSVID: handleUnaryCall<ValidateJWTSVIDRequest, ValidateJWTSVIDResponse>;
};

/** How a call ends without an answer. */
interface Refusal {
  readonly code: status;
  readonly details: string;
}

/** SPIFFE Workload Endpoint §6: keeps requests that a browser or another service was tricked into out. */
const SECURITY_HEADER = "workload.spiffe.io";
const MAX_AUDIENCES = 8;
const MAX_AUDIENCE_CHARACTERS = 512;

const noHeader: Refusal = {
  code: status.INVALID_ARGUMENT,
  details: `the metadata ${SECURITY_HEADER}: true is missing`,
};
const noIdentity: Refusal = { code: status.PERMISSION_DENIED, details: "no identity issued" };
const goneAway: Refusal = {
  code: status.UNAVAILABLE,
  details: "the identities of this process are not served any more",
};
const ownBug: Refusal = { code: status.INTERNAL, details: "the Workload API failed" };

/** Whose calls are answered, from what, and for how long. */
export interface ServedCaller {
  readonly caller: PeerCredentials;
  readonly source: WorkloadIdentitySource;
  readonly clock: Clock;
  /** Aborted when the connection is to end. */
  readonly ended: AbortSignal;
}

/** The handlers for the calls of one process. */
export function workloadApiHandlers(served: ServedCaller): WorkloadApiHandlers {
  const serve =
    <In, Out>(answer: (identities: WorkloadIdentities) => Out | Refusal): handleServerStreamingCall<In, Out> =>
    (call) =>
      void stream(call, served, answer);
  const reply =
    <In, Out>(answer: (request: In) => Promise<Out | Refusal>): handleUnaryCall<In, Out> =>
    (call, callback) =>
      void unary(call, callback, answer);
  return {
    FetchX509SVID: serve(x509SvidResponse),
    FetchX509Bundles: serve(({ bundles }) => ({ crl: [], bundles: x509Bundles(bundles) })),
    FetchJWTBundles: serve(({ bundles }) => ({ bundles: jwtBundles(bundles) })),
    FetchJWTSVID: reply((request) => fetchJwtSvids(request, served)),
    ValidateJWTSVID: reply((request) => validate(request, served)),
  };
}

/** Writes an answer now and after every change of it. The client may be slow: then it gets the newest when it is ready. */
async function stream<In, Out>(
  call: ServerWritableStream<In, Out>,
  from: ServedCaller,
  answer: (identities: WorkloadIdentities) => Out | Refusal,
): Promise<void> {
  const over = new AbortController();
  const cancelled = new AbortController();
  const stop = (): void => over.abort();
  const cancel = (): void => {
    cancelled.abort();
    over.abort();
  };
  // A client that is gone is told nothing; nor do its errors matter.
  call.on("cancelled", cancel);
  call.on("close", cancel);
  from.ended.addEventListener("abort", stop);
  let refusal: Refusal = goneAway;
  try {
    if (!hasHeader(call.metadata)) refusal = noHeader;
    else {
      let before = "";
      for await (const identities of from.source.identitiesOf(from.caller, over.signal)) {
        if (over.signal.aborted) break;
        const message = identities.svids.length === 0 ? noIdentity : answer(identities);
        if (isRefusal(message)) {
          refusal = message;
          break;
        }
        const text = fingerprint(message);
        if (text === before) continue;
        before = text;
        if (!call.write(message)) await drained(call, over.signal);
      }
    }
  } catch {
    refusal = ownBug;
  } finally {
    from.ended.removeEventListener("abort", stop);
    over.abort();
  }
  if (!cancelled.signal.aborted) call.emit("error", refusal);
}

async function unary<In, Out>(
  call: { readonly request: In; readonly metadata: Metadata },
  callback: sendUnaryData<Out>,
  answer: (request: In) => Promise<Out | Refusal>,
): Promise<void> {
  let message: Out | Refusal;
  try {
    message = hasHeader(call.metadata) ? await answer(call.request) : noHeader;
  } catch {
    message = ownBug;
  }
  if (isRefusal(message)) callback(message);
  else callback(null, message);
}

function x509SvidResponse({ svids, bundles }: WorkloadIdentities): X509SVIDResponse | Refusal {
  const messages: X509SVIDResponse["svids"] = [];
  const own = new Set<string>();
  for (const { spiffeId, chainDer, keyDer, hint } of svids) {
    const trustDomain = trustDomainOf(spiffeId);
    const bundle = bundles.get(trustDomain);
    // An identity without the bundle of its own trust domain is of no use to anybody.
    if (bundle === undefined) continue;
    own.add(trustDomain);
    messages.push({
      spiffeId,
      x509Svid: Buffer.concat(chainDer),
      x509SvidKey: Buffer.from(keyDer),
      bundle: Buffer.concat(bundle.x509Der),
      hint,
    });
  }
  if (messages.length === 0) return noIdentity;
  const federated = new Map([...bundles].filter(([trustDomain]) => !own.has(trustDomain)));
  return { svids: messages, crl: [], federatedBundles: x509Bundles(federated) };
}

function x509Bundles(bundles: ReadonlyMap<string, TrustDomainBundle>): Record<string, Buffer> {
  const answer: Record<string, Buffer> = {};
  for (const [trustDomain, { x509Der }] of bundles) {
    if (x509Der.length > 0) answer[`spiffe://${trustDomain}`] = Buffer.concat(x509Der);
  }
  return answer;
}

function jwtBundles(bundles: ReadonlyMap<string, TrustDomainBundle>): Record<string, Buffer> {
  const answer: Record<string, Buffer> = {};
  for (const [trustDomain, { jwksJson }] of bundles) {
    if (jwksJson !== undefined) answer[`spiffe://${trustDomain}`] = Buffer.from(jwksJson);
  }
  return answer;
}

async function fetchJwtSvids(
  { audience, spiffeId }: JWTSVIDRequest,
  { source, caller }: ServedCaller,
): Promise<JWTSVIDResponse | Refusal> {
  if (audience.length === 0) return invalid("the audience is missing");
  if (audience.length > MAX_AUDIENCES || audience.some((name) => name === "" || name.length > MAX_AUDIENCE_CHARACTERS))
    return invalid(`at most ${MAX_AUDIENCES} audiences of 1 to ${MAX_AUDIENCE_CHARACTERS} characters may be named`);
  let wanted = [spiffeId];
  if (spiffeId === "") {
    const identities = await currentOf(source, caller);
    if (identities === undefined) return goneAway;
    wanted = identities.svids.map((svid) => svid.spiffeId);
  }
  if (wanted.length === 0) return noIdentity;
  const fetched = await Promise.all(wanted.map((id) => source.fetchJwtSvid(caller, audience, id)));
  const svids: JwtSvid[] = [];
  for (const result of fetched) {
    if (!result.ok) return refusalOf(result.error);
    svids.push(result.value);
  }
  return { svids: svids.map(({ spiffeId: id, token, hint }) => ({ spiffeId: id, svid: token, hint })) };
}

async function validate(
  { audience, svid }: ValidateJWTSVIDRequest,
  { source, caller, clock }: ServedCaller,
): Promise<ValidateJWTSVIDResponse | Refusal> {
  if (audience === "") return invalid("the audience is missing");
  if (audience.length > MAX_AUDIENCE_CHARACTERS) return invalid("the audience is too long");
  if (svid === "") return invalid("the token is missing");
  const identities = await currentOf(source, caller);
  if (identities === undefined) return goneAway;
  if (identities.svids.length === 0) return noIdentity;
  const valid = await validateJwtSvid(svid, {
    audience,
    nowMs: clock.nowMs(),
    authorities: (trustDomain) => authoritiesOf(identities.bundles.get(trustDomain)),
  });
  return valid.ok ? { spiffeId: valid.value.spiffeId, claims: { ...valid.value.claims } } : invalid(valid.error);
}

function authoritiesOf(bundle: TrustDomainBundle | undefined): readonly JwtAuthority[] | undefined {
  if (bundle?.jwksJson === undefined) return undefined;
  const keys = parseJwks(bundle.jwksJson);
  return keys.ok ? keys.value : undefined;
}

/** What the caller may have at this moment; undefined when the source ends. */
async function currentOf(
  source: WorkloadIdentitySource,
  caller: PeerCredentials,
): Promise<WorkloadIdentities | undefined> {
  const over = new AbortController();
  try {
    for await (const identities of source.identitiesOf(caller, over.signal)) return identities;
    return undefined;
  } finally {
    over.abort();
  }
}

function hasHeader(metadata: Metadata): boolean {
  const values = metadata.get(SECURITY_HEADER);
  return values.length === 1 && values[0] === "true";
}

function refusalOf({ reason, message }: IdentityRefusal): Refusal {
  switch (reason) {
    case "denied":
      return { code: status.PERMISSION_DENIED, details: message };
    case "invalid":
      return invalid(message);
    case "unavailable":
      return { code: status.UNAVAILABLE, details: message };
  }
}

function invalid(details: string): Refusal {
  return { code: status.INVALID_ARGUMENT, details };
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && "details" in value && "code" in value;
}

function trustDomainOf(spiffeId: string): string {
  return spiffeId.split("/")[2] ?? "";
}

/** Tells two answers apart without keeping one. */
function fingerprint(message: unknown): string {
  return createHash("sha256").update(JSON.stringify(message)).digest("base64");
}

/** Kept when the stream takes more, or is over. */
function drained<In, Out>(call: ServerWritableStream<In, Out>, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off("drain", done);
      over.removeEventListener("abort", done);
      resolve();
    };
    call.on("drain", done);
    over.addEventListener("abort", done);
    if (over.aborted) done();
  });
}

// Bytes to requests (RFC 9112 §3): the server role.

import type { ErrorKind } from "@ripstop/core";
import { canonicalAuthority, RequestHead } from "@ripstop/http";
import { http1Errors } from "./errors.ts";
import { isToken, standsAt, trimOws, type FieldFacts } from "./field-facts.ts";
import { ScanStart, type HeadScanner } from "./head-scanner.ts";
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "./limits.ts";
import { BodyFraming, MessageDecoder, type Http1BodySink } from "./message-decoder.ts";
import { applyTarget } from "./request-target.ts";

/** What a request decoder tells. The head is the decoder's own and is reused for the next request. */
export interface Http1RequestSink extends Http1BodySink {
  /** A request head; with `end` no body follows. For CONNECT and upgrades `end` is true: what follows is not HTTP yet. */
  onRequest(head: RequestHead, end: boolean): void;
}

const METHODS: ReadonlyMap<string, string> = new Map(
  ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"].map((name) => [name, name]),
);

/** The method in `text[start, end)`; a common one without making a string of it. */
function methodIn(text: string, start: number, end: number): string {
  if (standsAt(text, start, end, "GET")) return "GET";
  if (standsAt(text, start, end, "POST")) return "POST";
  const method = text.substring(start, end);
  return METHODS.get(method) ?? method;
}

// What a decoder of any connection looked up last: others take the same strings over, which then compare by address.
let lastHost = "";
let lastCanonical = "";

/** A copy of `text` that keeps no larger string alive, as a piece of one would. */
function flatCopy(text: string): string {
  return Buffer.from(text, "latin1").latin1Slice();
}

/**
 * Decodes one request at a time: after each complete one `decode` takes nothing until `next`, so that the bytes
 * behind an Upgrade or CONNECT are not read as HTTP before the answer is known.
 */
export class Http1RequestDecoder extends MessageDecoder {
  readonly head: RequestHead = new RequestHead();
  /** Whether the client lets the connection live after the current request (RFC 9112 §9.3). */
  keepAlive = false;
  /**
   * HTTP2-Settings, as it came, of a request that asks its neighbour to go on in HTTP/2 (RFC 7540 §3.2); "" when it does
   * not ask, or not so that it may be answered 101.
   */
  http2Settings = "";
  readonly #sink: Http1RequestSink;
  /** At first something that no Host can be, so that an empty one is refused like any other that names nothing. */
  #hostSeen = "\0";
  #hostCanonical = "";

  constructor(sink: Http1RequestSink, limits: Http1Limits = DEFAULT_HTTP1_LIMITS) {
    super(sink, limits, ScanStart.REQUEST);
    this.#sink = sink;
  }

  /** The current request has been answered: the next one may be decoded. */
  next(): void {
    this.restart();
  }

  protected override expectsMessage(): boolean {
    return false;
  }

  protected override declaredLength(): number {
    return this.head.contentLength;
  }

  protected override announce(_framing: number, end: boolean): void {
    this.#sink.onRequest(this.head, end);
  }

  protected override startMessage(text: string, scanner: HeadScanner, facts: FieldFacts): number | ErrorKind {
    const head = this.head;
    head.version = scanner.version === 10 ? 10 : 11;
    head.scheme = "";
    head.authority = "";
    head.protocol = "";
    head.method = methodIn(text, scanner.methodStart, scanner.methodEnd);
    const error =
      applyTarget(head, text.substring(scanner.methodEnd + 1, scanner.targetEnd)) ??
      facts.collect(scanner, text, head.headers) ??
      this.#applyHost(text, facts) ??
      checkFraming(head, facts);
    if (error !== undefined) return error;
    head.contentLength = facts.contentLength;
    // Absolute form is how clients speak to a proxy, which must not keep an HTTP/1.0 client (RFC 9112 §9.3).
    this.keepAlive = !facts.close && (head.version === 11 || (facts.keepAlive && head.scheme === ""));
    this.http2Settings = "";
    if (facts.upgrade !== "") {
      const upgradeError = applyUpgrade(head, facts);
      if (upgradeError !== undefined) return upgradeError;
      if (head.protocol === "" && asksForHttp2(head, facts)) this.http2Settings = facts.http2Settings;
    }
    const hasBody = facts.isChunked || facts.contentLength > 0;
    head.expectsContinue = hasBody && head.version === 11 && facts.expect !== "";
    if (facts.isChunked) return BodyFraming.CHUNKED;
    return hasBody ? BodyFraming.LENGTH : BodyFraming.NONE;
  }

  /** RFC 9112 §3.2: exactly one valid Host (HTTP/1.0: at most one), equal to the host of an absolute target. */
  #applyHost(text: string, facts: FieldFacts): ErrorKind | undefined {
    const head = this.head;
    if (facts.hostCount !== 1) {
      if (facts.hostCount > 1) return http1Errors.hostDuplicate;
      return head.version === 11 ? http1Errors.hostMissing : undefined;
    }
    const { hostStart, hostEnd } = facts;
    const isKnown = standsAt(text, hostStart, hostEnd, this.#hostSeen);
    const canonical = isKnown ? this.#hostCanonical : this.#canonicalHost(text.substring(hostStart, hostEnd));
    if (canonical === undefined) return http1Errors.hostInvalid;
    if (head.authority === "") {
      head.authority = canonical;
      return undefined;
    }
    return sameAuthority(head, canonical) ? undefined : http1Errors.hostMismatch;
  }

  #canonicalHost(host: string): string | undefined {
    if (host !== lastHost || host === "") {
      const canonical = canonicalAuthority(host);
      if (canonical === undefined) return undefined;
      lastHost = flatCopy(host);
      lastCanonical = canonical === host ? lastHost : flatCopy(canonical);
    }
    this.#hostSeen = lastHost;
    this.#hostCanonical = lastCanonical;
    return lastCanonical;
  }
}

/** Equal, or equal but for the scheme's default port on one side. CONNECT clients often leave the port out of Host. */
function sameAuthority(head: RequestHead, host: string): boolean {
  const authority = head.authority;
  if (authority === host) return true;
  if (head.method === "CONNECT") return authority.startsWith(`${host}:`) && !host.endsWith(":");
  const defaultPort = head.scheme === "https" ? ":443" : ":80";
  return authority === host + defaultPort || authority + defaultPort === host;
}

function checkFraming(head: RequestHead, facts: FieldFacts): ErrorKind | undefined {
  if (facts.isChunked && head.version === 10) return http1Errors.transferEncodingInHttp10;
  if (head.method === "CONNECT" && (facts.isChunked || facts.contentLength > 0)) return http1Errors.connectWithBody;
  if (facts.expect !== "" && head.version === 11 && facts.expect.toLowerCase() !== "100-continue") {
    return http1Errors.expectationUnknown;
  }
  return undefined;
}

/**
 * RFC 7540 §3.2: an upgrade to h2c with exactly one HTTP2-Settings, in base64url. One with a body is not taken up, as a
 * server may decide: the body would have to be kept until it is complete.
 * One that is to be the last of its connection is none to go on with.
 */
function asksForHttp2(head: RequestHead, facts: FieldFacts): boolean {
  if (!facts.connectionUpgrade || facts.close || head.version !== 11 || head.method === "CONNECT") return false;
  if (facts.isChunked || facts.contentLength > 0 || !/^[\w-]+$/.test(facts.http2Settings)) return false;
  return facts.upgrade.split(",").some((item) => trimOws(item) === "h2c");
}

function isOfNeighbours(protocol: string): boolean {
  return protocol === "h2c" || protocol.startsWith("tls/") || protocol.startsWith("http/");
}

/**
 * RFC 9110 §7.8. An upgrade is ignored, as a server may, when Connection does not nominate it, in HTTP/1.0, on a
 * request with a body, and to what is agreed on between neighbours and not passed on: another version of HTTP, and TLS
 * (RFC 2817), which some clients offer with every request.
 */
function applyUpgrade(head: RequestHead, facts: FieldFacts): ErrorKind | undefined {
  let protocol = "";
  for (const item of facts.upgrade.toLowerCase().split(",")) {
    const candidate = trimOws(item);
    if (candidate === "") continue;
    const slash = candidate.indexOf("/");
    const isValid =
      slash < 0
        ? isToken(candidate)
        : isToken(candidate.substring(0, slash)) && isToken(candidate.substring(slash + 1));
    if (!isValid) return http1Errors.connectionFieldInvalid;
    if (protocol === "" && !isOfNeighbours(candidate)) protocol = candidate;
  }
  const hasBody = facts.isChunked || facts.contentLength > 0;
  if (facts.connectionUpgrade && head.version === 11 && !hasBody && head.method !== "CONNECT") head.protocol = protocol;
  return undefined;
}

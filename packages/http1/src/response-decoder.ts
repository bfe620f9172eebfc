// Bytes to responses (RFC 9112 §4): the client role.

import type { ErrorKind } from "@ripstop/core";
import { ResponseHead } from "@ripstop/http";
import { http1Errors } from "./errors.ts";
import type { FieldFacts } from "./field-facts.ts";
import { ScanStart, type HeadScanner } from "./head-scanner.ts";
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "./limits.ts";
import { BodyFraming, MessageDecoder, type Http1BodySink } from "./message-decoder.ts";

/** What a response decoder tells. The head is the decoder's own and is reused for the next response. */
export interface Http1ResponseSink extends Http1BodySink {
  /** A 1xx response other than 101; another response follows. */
  onInformational(head: ResponseHead): void;
  /** The final response head, or 101; with `end` no body follows. After it `isTunnel` tells whether HTTP is over. */
  onResponse(head: ResponseHead, end: boolean): void;
}

/** Decodes the response to one request at a time: call `expect` for each. */
export class Http1ResponseDecoder extends MessageDecoder {
  readonly head: ResponseHead = new ResponseHead();
  /** Whether the connection can carry another request after the current response (RFC 9112 §9.3). */
  keepAlive = false;
  readonly #sink: Http1ResponseSink;
  #method = "";
  #protocol = "";
  #informational = 0;

  constructor(sink: Http1ResponseSink, limits: Http1Limits = DEFAULT_HTTP1_LIMITS) {
    super(sink, limits, ScanStart.RESPONSE);
    this.#sink = sink;
  }

  /** The next bytes answer a request with `method` that asked to switch to `protocol` ("" for none). */
  expect(method: string, protocol: string): void {
    this.#method = method;
    this.#protocol = protocol;
    this.#informational = 0;
    this.restart();
  }

  protected override expectsMessage(): boolean {
    return true;
  }

  protected override declaredLength(): number {
    return this.head.contentLength;
  }

  protected override announce(framing: number, end: boolean): void {
    if (framing === BodyFraming.INFORMATIONAL) this.#sink.onInformational(this.head);
    else this.#sink.onResponse(this.head, end);
  }

  protected override startMessage(text: string, scanner: HeadScanner, facts: FieldFacts): number | ErrorKind {
    const head = this.head;
    head.version = scanner.version === 10 ? 10 : 11;
    head.status = scanner.status;
    head.protocol = "";
    const error = facts.collect(scanner, text, head.headers);
    if (error !== undefined) return error;
    head.contentLength = facts.contentLength;
    this.keepAlive = head.version === 11 ? !facts.close : facts.keepAlive && !facts.close;
    if (facts.isChunked && head.version === 10) return http1Errors.transferEncodingInHttp10;
    const status = head.status;
    if (status < 200) return this.#startInformational(facts);
    if (this.#method === "CONNECT" && status < 300) return BodyFraming.TUNNEL;
    // The one response that says with Upgrade what it wants instead of what it does (RFC 9110 §15.5.22).
    if (status === 426 && facts.connectionUpgrade && facts.upgrade !== "")
      head.headers.append("upgrade", facts.upgrade);
    if (this.#method === "HEAD" || status === 304) return BodyFraming.NONE;
    if (status === 204) return hasBody(facts) ? http1Errors.bodyNotAllowed : BodyFraming.NONE;
    if (facts.isChunked) return BodyFraming.CHUNKED;
    if (facts.contentLength >= 0) return facts.contentLength === 0 ? BodyFraming.NONE : BodyFraming.LENGTH;
    this.keepAlive = false;
    return BodyFraming.UNTIL_CLOSE;
  }

  #startInformational(facts: FieldFacts): number | ErrorKind {
    if (hasBody(facts)) return http1Errors.bodyNotAllowed;
    if (this.head.status === 101) {
      const protocol = facts.connectionUpgrade ? facts.upgrade.toLowerCase() : "";
      if (protocol === "" || protocol !== this.#protocol) return http1Errors.unexpectedUpgrade;
      this.head.protocol = this.#protocol;
      return BodyFraming.TUNNEL;
    }
    this.#informational++;
    return this.#informational > this.limits.maxInformational
      ? http1Errors.tooManyInformational
      : BodyFraming.INFORMATIONAL;
  }
}

function hasBody(facts: FieldFacts): boolean {
  return facts.isChunked || facts.contentLength > 0;
}

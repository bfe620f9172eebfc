// Turns the fields of a header block into a request head, a response head or trailers, and checks them on the way
// (RFC 9113 §8.1–§8.5, RFC 8441). A malformed message is a stream error; the block is decoded to its end all the same.

import { canonicalAuthority, hasPort, HeaderList, RequestHead, ResponseHead, UNKNOWN_LENGTH } from "@ripstop/http";
import { FieldFlag, FieldKind } from "./field-kind.ts";
import { ENTRY_OVERHEAD, type FieldSink } from "./hpack/decoder.ts";

/** What kind of message part a header block is expected to be. */
export type MessagePart = "request" | "response" | "trailers" | "refused" | "ignored";

/** How one header block is to be read. */
export interface ReadRules {
  readonly maxHeaderListBytes: number;
  readonly maxHeaderFields: number;
  /** :protocol may be used. */
  readonly extendedConnect: boolean;
}

/** What a header block said; one of them is there. */
export interface ReadMessage {
  readonly request: RequestHead | undefined;
  readonly response: ResponseHead | undefined;
  readonly trailers: HeaderList | undefined;
}

const BAD_ANYWHERE = FieldFlag.CONTROL | FieldFlag.EDGE_SPACE | FieldFlag.BAD_NAME;
const BAD_IN_PATH = FieldFlag.SPACE | FieldFlag.OBS_TEXT | FieldFlag.HASH;

/** Bits of the pseudo-headers seen, by FieldKind. */
const SEEN_METHOD = 1 << FieldKind.METHOD;
const SEEN_SCHEME = 1 << FieldKind.SCHEME;
const SEEN_AUTHORITY = 1 << FieldKind.AUTHORITY;
const SEEN_PATH = 1 << FieldKind.PATH;
const SEEN_PROTOCOL = 1 << FieldKind.PROTOCOL;
const SEEN_STATUS = 1 << FieldKind.STATUS;
const SEEN_HOST = 1 << FieldKind.HOST;
const SEEN_EXPECT = 1 << FieldKind.EXPECT;

/**
 * Reads one header block at a time; its heads are reused from block to block, so one reader serves all connections
 * of a process as long as no two blocks are read within each other.
 */
export class MessageReader implements FieldSink {
  readonly request: RequestHead = new RequestHead();
  readonly response: ResponseHead = new ResponseHead();
  readonly trailers: HeaderList = new HeaderList();
  /** "" or what is malformed, and the rule. */
  problem = "";
  section = "";
  /** The header section is over the limit; fields after that point are not kept. */
  tooLarge = false;
  /** The value of `priority` (RFC 9218 §5), or "". */
  priority = "";
  /** Whether a reader is between `begin` and the end of the callback that uses its heads. */
  busy = false;

  #part: MessagePart = "ignored";
  #rules: ReadRules = { maxHeaderListBytes: 0, maxHeaderFields: 0, extendedConnect: false };
  #fields: HeaderList = this.trailers;
  #listBytes = 0;
  #count = 0;
  #seen = 0;
  #regular = false;
  #host = "";
  #contentLength: number = UNKNOWN_LENGTH;
  #cookieAt = -1;
  #lastAuthority = "";
  #lastCanonical = "";

  /** Prepares for one header block. */
  begin(part: MessagePart, rules: ReadRules): void {
    this.problem = "";
    this.section = "";
    this.tooLarge = false;
    this.priority = "";
    this.#part = part;
    this.#rules = rules;
    this.#listBytes = 0;
    this.#count = 0;
    this.#seen = 0;
    this.#regular = false;
    this.#host = "";
    this.#contentLength = UNKNOWN_LENGTH;
    this.#cookieAt = -1;
    if (part === "request") {
      this.request.clear();
      this.request.version = 20;
      this.#fields = this.request.headers;
    } else if (part === "response") {
      this.response.clear();
      this.response.version = 20;
      this.#fields = this.response.headers;
    } else {
      this.trailers.clear();
      this.#fields = this.trailers;
    }
  }

  onField(name: string, value: string, kind: number, flags: number): void {
    this.#listBytes += name.length + value.length + ENTRY_OVERHEAD;
    if (this.#listBytes > this.#rules.maxHeaderListBytes || ++this.#count > this.#rules.maxHeaderFields) {
      this.tooLarge = true;
      return;
    }
    if (this.problem !== "" || this.#part === "ignored" || this.#part === "refused") return;
    if ((flags & BAD_ANYWHERE) !== 0) {
      this.#malformed(describe(name, flags), "RFC 9113 §8.2.1");
      return;
    }
    if (kind === FieldKind.OTHER) {
      this.#regular = true;
      this.#fields.append(name, value);
    } else if (kind <= FieldKind.UNKNOWN_PSEUDO) {
      this.#pseudo(name, value, kind, flags);
    } else {
      this.#regular = true;
      this.#special(name, value, kind, flags);
    }
    if ((flags & FieldFlag.NEVER_INDEXED) !== 0) this.#fields.neverIndex(name);
  }

  /** The block is complete: checks what can only be known now. False when malformed, see `problem`. */
  finish(): boolean {
    if (this.problem !== "" || this.tooLarge) return false;
    const part = this.#part;
    // Once is enough.
    this.#part = "ignored";
    if (part === "request") this.#finishRequest();
    else if (part === "response") this.#finishResponse();
    return this.problem === "";
  }

  /** Bytes of the block's fields as the limit counts them. */
  get listBytes(): number {
    return this.#listBytes;
  }

  /** A copy of what `finish` found to be well-formed, for `recall`. */
  copy(part: MessagePart): ReadMessage {
    const request = part === "request" ? new RequestHead() : undefined;
    const response = part === "response" ? new ResponseHead() : undefined;
    const trailers = part === "trailers" ? new HeaderList() : undefined;
    request?.copyFrom(this.request);
    response?.copyFrom(this.response);
    trailers?.copyFrom(this.trailers);
    return { request, response, trailers };
  }

  /** In place of a block: what one just like it said. `finish` has nothing to find any more. */
  recall({ request, response, trailers }: ReadMessage): void {
    this.#part = "ignored";
    if (request !== undefined) this.request.copyFrom(request);
    else if (response !== undefined) this.response.copyFrom(response);
    else if (trailers !== undefined) this.trailers.copyFrom(trailers);
  }

  #pseudo(name: string, value: string, kind: number, flags: number): void {
    if (this.#part === "trailers") return this.#malformed(`${name} in trailers`, "RFC 9113 §8.1");
    if (this.#regular) return this.#malformed(`${name} after a regular field`, "RFC 9113 §8.3");
    const bit = 1 << kind;
    if ((this.#seen & bit) !== 0) return this.#malformed(`${name} twice`, "RFC 9113 §8.3");
    this.#seen |= bit;
    if ((kind === FieldKind.STATUS) !== (this.#part === "response") || kind === FieldKind.UNKNOWN_PSEUDO) {
      return this.#malformed(`pseudo-header ${name} is not defined here`, "RFC 9113 §8.3");
    }
    switch (kind) {
      case FieldKind.METHOD:
        if (value === "" || (flags & FieldFlag.NOT_TOKEN) !== 0)
          this.#malformed("the method is not a token", "RFC 9110 §9.1");
        this.request.method = value;
        return;
      case FieldKind.SCHEME:
        this.request.scheme = (flags & FieldFlag.UPPER) !== 0 ? value.toLowerCase() : value;
        if (this.request.scheme !== "http" && this.request.scheme !== "https") {
          this.#malformed(":scheme is neither http nor https", "RFC 9113 §8.3.1");
        }
        return;
      case FieldKind.AUTHORITY:
        this.request.authority = this.#canonical(value);
        return;
      case FieldKind.PATH:
        if ((flags & BAD_IN_PATH) !== 0)
          this.#malformed("the path has a space, a fragment or a byte above 0x7f", "RFC 9113 §8.3.1");
        this.request.path = value;
        return;
      case FieldKind.PROTOCOL:
        if (value === "" || (flags & FieldFlag.NOT_TOKEN) !== 0)
          this.#malformed(":protocol is not a token", "RFC 8441 §4");
        this.request.protocol = value;
        return;
      default:
        if (value.length !== 3 || (flags & FieldFlag.NOT_DIGIT) !== 0) {
          this.#malformed(":status is not three digits", "RFC 9113 §8.3.2");
          return;
        }
        this.response.status = decimal(value);
    }
  }

  #special(name: string, value: string, kind: number, flags: number): void {
    switch (kind) {
      case FieldKind.CONNECTION_SPECIFIC:
        return this.#malformed(`connection-specific field ${name}`, "RFC 9113 §8.2.2");
      case FieldKind.TE:
        if (value !== "trailers") return this.#malformed("te other than trailers", "RFC 9113 §8.2.2");
        if (this.#part === "trailers") return;
        this.#fields.append(name, value);
        return;
      case FieldKind.CONTENT_LENGTH:
        if (this.#part === "trailers") return;
        return this.#readContentLength(value, flags);
      case FieldKind.HOST:
        if (this.#part !== "request") return;
        if ((this.#seen & SEEN_HOST) !== 0) return this.#malformed("host twice", "RFC 9110 §7.2");
        this.#seen |= SEEN_HOST;
        this.#host = this.#canonical(value);
        return;
      case FieldKind.COOKIE:
        if (this.#cookieAt >= 0) {
          this.#fields.replaceAt(this.#cookieAt, `${this.#fields.valueAt(this.#cookieAt)}; ${value}`);
          return;
        }
        this.#cookieAt = this.#fields.length;
        this.#fields.append(name, value);
        return;
      case FieldKind.CREDENTIALS:
        this.#fields.append(name, value);
        return;
      case FieldKind.EXPECT:
        if (this.#part === "trailers") return;
        if (this.#part === "request" && value.length === 12 && value.toLowerCase() === "100-continue") {
          this.#seen |= SEEN_EXPECT;
          return;
        }
        this.#fields.append(name, value);
        return;
      default:
        this.priority = value;
        this.#fields.append(name, value);
    }
  }

  #readContentLength(value: string, flags: number): void {
    if (value === "" || value.length > 15 || (flags & FieldFlag.NOT_DIGIT) !== 0) {
      return this.#malformed("content-length is not a number", "RFC 9110 §8.6");
    }
    const length = decimal(value);
    if (this.#contentLength !== UNKNOWN_LENGTH && this.#contentLength !== length) {
      return this.#malformed("two different content-lengths", "RFC 9110 §8.6");
    }
    this.#contentLength = length;
  }

  /** The authority in its one form; the last one is remembered because connections repeat theirs. */
  #canonical(value: string): string {
    if (value === this.#lastAuthority) return this.#lastCanonical;
    const canonical = value === "" ? "" : canonicalAuthority(value);
    if (canonical === undefined) {
      this.#malformed("the authority is not a host with an optional port", "RFC 9113 §8.3.1");
      return "";
    }
    this.#lastAuthority = value;
    this.#lastCanonical = canonical;
    return canonical;
  }

  #finishRequest(): void {
    const { request } = this;
    const seen = this.#seen;
    request.contentLength = this.#contentLength;
    request.expectsContinue = (seen & SEEN_EXPECT) !== 0;
    if ((seen & SEEN_METHOD) === 0) return this.#malformed(":method is missing", "RFC 9113 §8.3.1");
    if (request.method === "CONNECT") {
      if ((seen & SEEN_AUTHORITY) === 0 || request.authority === "") {
        return this.#malformed("CONNECT without :authority", "RFC 9113 §8.5");
      }
      if ((seen & SEEN_PROTOCOL) === 0) {
        if ((seen & (SEEN_SCHEME | SEEN_PATH)) !== 0) {
          return this.#malformed("CONNECT with :scheme or :path", "RFC 9113 §8.5");
        }
        request.path = "";
        if (!hasPort(request.authority)) return this.#malformed("CONNECT without a port", "RFC 9113 §8.5");
        return this.#checkHost();
      }
      if (!this.#rules.extendedConnect) return this.#malformed(":protocol is not enabled", "RFC 8441 §3");
      request.method = "GET";
    } else if ((seen & SEEN_PROTOCOL) !== 0) {
      return this.#malformed(":protocol without CONNECT", "RFC 8441 §4");
    }
    if ((seen & SEEN_SCHEME) === 0 || request.scheme === "")
      return this.#malformed(":scheme is missing", "RFC 9113 §8.3.1");
    if ((seen & SEEN_PATH) === 0) return this.#malformed(":path is missing", "RFC 9113 §8.3.1");
    if (request.path.charCodeAt(0) !== 0x2f && !(request.path === "*" && request.method === "OPTIONS")) {
      return this.#malformed(":path does not begin with /", "RFC 9113 §8.3.1");
    }
    this.#checkHost();
  }

  #checkHost(): void {
    if ((this.#seen & SEEN_HOST) === 0) return;
    if ((this.#seen & SEEN_AUTHORITY) === 0) this.request.authority = this.#host;
    else if (this.request.authority !== this.#host) this.#malformed("host differs from :authority", "RFC 9113 §8.3.1");
  }

  #finishResponse(): void {
    const { response } = this;
    response.contentLength = this.#contentLength;
    if ((this.#seen & SEEN_STATUS) === 0) this.#malformed(":status is missing", "RFC 9113 §8.3.2");
    else if (response.status < 100 || response.status > 599)
      this.#malformed(":status is not 100 to 599", "RFC 9110 §15");
    else if (response.status === 101) this.#malformed("101 is not used in HTTP/2", "RFC 9113 §8.6");
  }

  #malformed(problem: string, section: string): void {
    if (this.problem !== "") return;
    this.problem = problem;
    this.section = section;
  }
}

/** The number that digits say; without the call into the runtime that Number is for new text. */
function decimal(digits: string): number {
  let value = 0;
  for (let at = 0; at < digits.length; at++) value = value * 10 + (digits.charCodeAt(at) - 0x30);
  return value;
}

function describe(name: string, flags: number): string {
  if ((flags & FieldFlag.BAD_NAME) !== 0) return "a field name is empty, has upper case or is not a token";
  if ((flags & FieldFlag.CONTROL) !== 0) return `a control character in ${name}`;
  return `a space at an end of ${name}`;
}

const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const SPACE = 0x20;

/** Whether a member of a structured dictionary can begin behind `code`, or end before it. */
function isBoundary(code: number): boolean {
  return code === COMMA || code === SPACE || code === SEMICOLON || Number.isNaN(code);
}

/** The urgency (0 most urgent … 7) in a `priority` value, 3 when it says none (RFC 9218 §4.1). */
export function urgencyOf(priority: string): number {
  const at = priority.startsWith("u=") ? 0 : priority.indexOf("u=", 1);
  if (at < 0 || !isBoundary(priority.charCodeAt(at - 1)) || !isBoundary(priority.charCodeAt(at + 3))) return 3;
  const digit = priority.charCodeAt(at + 2) - 0x30;
  return digit >= 0 && digit <= 7 ? digit : 3;
}

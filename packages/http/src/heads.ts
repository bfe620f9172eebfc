// Request and response heads as the proxy sees them, whatever HTTP version carried them.

import { HeaderList } from "./header-list.ts";

/** HTTP version of a message: 10, 11 or 20. */
export type HttpVersion = 10 | 11 | 20;

/** `contentLength` when the message does not declare one. */
export const UNKNOWN_LENGTH = -1;

/** The head of a request. Reused by codecs: copy what must outlive the callback. */
export class RequestHead {
  version: HttpVersion = 11;
  /** Method token, case-sensitive. */
  method = "GET";
  /** "http" or "https", as the request says or the connection implies; "" when not known. */
  scheme = "";
  /** Host and optional port, lower case host; from :authority, the request target, or Host. "" when absent (HTTP/1.0). */
  authority = "";
  /** Path and query in origin form ("/a?b"), "*" for OPTIONS *, "" for CONNECT without :protocol. */
  path = "/";
  /**
   * The protocol that the client asks to switch to: the Upgrade token of an HTTP/1.1 upgrade ("websocket"),
   * or :protocol of an extended CONNECT (RFC 8441), which is presented as the GET it stands for. "" otherwise.
   */
  protocol = "";
  /** Bytes of body declared by content-length, or UNKNOWN_LENGTH. */
  contentLength: number = UNKNOWN_LENGTH;
  /** The client sent Expect: 100-continue and waits. */
  expectsContinue = false;
  /** All other fields; `host`, `content-length`, `transfer-encoding`, `connection`, `upgrade`, `expect` and hop-by-hop fields are not in it. */
  readonly headers: HeaderList = new HeaderList();

  /** Back to the initial state, memory kept. */
  clear(): void {
    this.version = 11;
    this.method = "GET";
    this.scheme = "";
    this.authority = "";
    this.path = "/";
    this.protocol = "";
    this.contentLength = UNKNOWN_LENGTH;
    this.expectsContinue = false;
    this.headers.clear();
  }

  /** Becomes a copy of `other`. */
  copyFrom(other: RequestHead): void {
    this.version = other.version;
    this.method = other.method;
    this.scheme = other.scheme;
    this.authority = other.authority;
    this.path = other.path;
    this.protocol = other.protocol;
    this.contentLength = other.contentLength;
    this.expectsContinue = other.expectsContinue;
    this.headers.copyFrom(other.headers);
  }

  /** Becomes what `other` is, taking over its header list: `other` has no headers afterwards. */
  takeFrom(other: RequestHead): void {
    this.version = other.version;
    this.method = other.method;
    this.scheme = other.scheme;
    this.authority = other.authority;
    this.path = other.path;
    this.protocol = other.protocol;
    this.contentLength = other.contentLength;
    this.expectsContinue = other.expectsContinue;
    this.headers.takeFrom(other.headers);
  }
}

/** The head of a response. Reused by codecs: copy what must outlive the callback. */
export class ResponseHead {
  version: HttpVersion = 11;
  /** 100 … 599. */
  status = 200;
  /** Bytes of body declared by content-length, or UNKNOWN_LENGTH. For HEAD and 304 the value is kept though no body follows. */
  contentLength: number = UNKNOWN_LENGTH;
  /** On a 101, or on the 2xx of an extended CONNECT: the protocol now spoken. "" otherwise. */
  protocol = "";
  /** All other fields, without connection-specific ones. */
  readonly headers: HeaderList = new HeaderList();

  /** Back to the initial state, memory kept. */
  clear(): void {
    this.version = 11;
    this.status = 200;
    this.contentLength = UNKNOWN_LENGTH;
    this.protocol = "";
    this.headers.clear();
  }

  /** Becomes a copy of `other`. */
  copyFrom(other: ResponseHead): void {
    this.version = other.version;
    this.status = other.status;
    this.contentLength = other.contentLength;
    this.protocol = other.protocol;
    this.headers.copyFrom(other.headers);
  }
}

// Request heads, response heads and trailers to header blocks (RFC 9113 §8.3).

import type { HeaderList, RequestHead } from "@ripstop/http";
import type { ByteWriter } from "@ripstop/core";
import { decimalText } from "./decimal-text.ts";
import type { HpackEncoder } from "./hpack/encoder.ts";

/** Appends the header block of a request. `head.protocol` makes it an extended CONNECT (RFC 8441 §4). */
export function writeRequestHead(encoder: HpackEncoder, out: ByteWriter, head: RequestHead): void {
  encoder.begin(out);
  if (head.protocol !== "") {
    encoder.field(out, ":method", "CONNECT", false);
    encoder.field(out, ":protocol", head.protocol, false);
  } else {
    encoder.field(out, ":method", head.method, false);
  }
  if (head.method !== "CONNECT") {
    encoder.field(out, ":scheme", head.scheme === "" ? "http" : head.scheme, false);
    encoder.field(out, ":path", head.path, false);
  }
  if (head.authority !== "") encoder.field(out, ":authority", head.authority, false);
  // A tunnel has no content (RFC 9110 §9.3.6).
  if (head.contentLength >= 0 && head.protocol === "" && head.method !== "CONNECT") {
    encoder.field(out, "content-length", decimalText(head.contentLength), false);
  }
  if (head.expectsContinue) encoder.field(out, "expect", "100-continue", false);
  writeFields(encoder, out, head.headers);
}

/** Begins the header block of a response, without content-length when `contentLength` is negative; its fields follow. */
export function writeStatus(encoder: HpackEncoder, out: ByteWriter, status: number, contentLength: number): void {
  encoder.begin(out);
  encoder.field(out, ":status", decimalText(status), false);
  if (contentLength >= 0) encoder.field(out, "content-length", decimalText(contentLength), false);
}

/** Appends the header block of trailers. */
export function writeTrailers(encoder: HpackEncoder, out: ByteWriter, trailers: HeaderList): void {
  encoder.begin(out);
  writeFields(encoder, out, trailers);
}

/** Appends fields to a header block that was begun. */
export function writeFields(encoder: HpackEncoder, out: ByteWriter, fields: HeaderList): void {
  const { neverIndexed, length } = fields;
  if (neverIndexed.length === 0) {
    for (let at = 0; at < length; at++) encoder.field(out, fields.nameAt(at), fields.valueAt(at), false);
    return;
  }
  // Nearly always it is one name, "authorization".
  const [first] = neverIndexed;
  const isOne = neverIndexed.length === 1;
  for (let at = 0; at < length; at++) {
    const name = fields.nameAt(at);
    encoder.field(out, name, fields.valueAt(at), isOne ? name === first : neverIndexed.includes(name));
  }
}

// Every way in which an HTTP/1.1 peer can break the protocol, with the section of the RFC that it breaks.

import { defineError, type ErrorKind } from "@ripstop/core";

const GRPC_INTERNAL = 13;
const GRPC_RESOURCE_EXHAUSTED = 8;
const GRPC_UNIMPLEMENTED = 12;
const GRPC_DEADLINE_EXCEEDED = 4;
const GRPC_UNAVAILABLE = 14;

const MALFORMED_REMEDY =
  "Correct the sender; the message is refused because two programs could read it in different ways";
const LIMIT_REMEDY = "Send less, or raise the limit on the listener";

/** The names of the errors of the HTTP/1.1 codec. */
export type Http1ErrorName =
  | "invalidMethod"
  | "methodTooLong"
  | "invalidTarget"
  | "targetTooLong"
  | "invalidRequestLine"
  | "unsupportedVersion"
  | "bareCr"
  | "bareLf"
  | "invalidFieldName"
  | "spaceBeforeColon"
  | "obsFold"
  | "invalidFieldValue"
  | "headTooLarge"
  | "tooManyFields"
  | "hostMissing"
  | "hostDuplicate"
  | "hostInvalid"
  | "hostMismatch"
  | "contentLengthInvalid"
  | "contentLengthDuplicate"
  | "lengthAndTransferEncoding"
  | "transferEncodingInvalid"
  | "transferCodingUnknown"
  | "transferEncodingInHttp10"
  | "bodyTooLarge"
  | "chunkSizeInvalid"
  | "chunkSizeTooLarge"
  | "chunkExtensionInvalid"
  | "chunkExtensionTooLong"
  | "chunkDataUnterminated"
  | "trailerForbidden"
  | "connectionFieldInvalid"
  | "expectationUnknown"
  | "connectWithBody"
  | "truncated"
  | "requestTimeout"
  | "invalidStatusLine"
  | "unexpectedBytes"
  | "unexpectedUpgrade"
  | "tooManyInformational"
  | "bodyNotAllowed"
  | "headNotWritable";

/** The errors of the HTTP/1.1 codec. `status` is the answer to a faulty request; a faulty response is always a 502. */
export const http1Errors: Readonly<Record<Http1ErrorName, ErrorKind>> = {
  invalidMethod: defineError({
    code: "RS5101",
    name: "invalid_method",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The method of the request holds a character that is not allowed",
    cause: "Bytes that are not HTTP, for example TLS on a plain port (RFC 9110 section 9.1)",
    remedy: "Check that the client speaks plain HTTP to this port",
  }),
  methodTooLong: defineError({
    code: "RS5102",
    name: "method_too_long",
    status: 501,
    grpcStatus: GRPC_UNIMPLEMENTED,
    title: "The method of the request is longer than any known method",
    cause: "Bytes that are not HTTP (RFC 9112 section 3)",
    remedy: "Check that the client speaks plain HTTP to this port",
  }),
  invalidTarget: defineError({
    code: "RS5103",
    name: "invalid_target",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The request target is not a valid path, URL or host and port",
    cause: "A space, a control character, a fragment or raw non-ASCII text in the URL (RFC 9112 section 3.2)",
    remedy: "Percent-encode the URL before sending it",
  }),
  targetTooLong: defineError({
    code: "RS5104",
    name: "target_too_long",
    status: 414,
    grpcStatus: GRPC_RESOURCE_EXHAUSTED,
    title: "The request target is longer than the limit",
    cause: "Data put into the URL that belongs into the body (RFC 9112 section 3)",
    remedy: LIMIT_REMEDY,
  }),
  invalidRequestLine: defineError({
    code: "RS5105",
    name: "invalid_request_line",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The request line is not METHOD SP TARGET SP HTTP/1.1 CRLF",
    cause: "Spaces too many or too few, or no version (RFC 9112 section 3)",
    remedy: MALFORMED_REMEDY,
  }),
  unsupportedVersion: defineError({
    code: "RS5106",
    name: "unsupported_version",
    status: 505,
    grpcStatus: GRPC_UNIMPLEMENTED,
    title: "The HTTP version is neither 1.0 nor 1.1",
    cause: "An HTTP/2 client without agreement, or a faulty client (RFC 9112 section 2.3)",
    remedy: "Use HTTP/1.1, or declare the port as http2",
  }),
  bareCr: defineError({
    code: "RS5107",
    name: "bare_cr",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "A carriage return is not followed by a line feed",
    cause: "A faulty sender, or an attempt at request smuggling (RFC 9112 section 2.2)",
    remedy: MALFORMED_REMEDY,
  }),
  bareLf: defineError({
    code: "RS5108",
    name: "bare_lf",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "A line ends with a line feed alone",
    cause: "A hand-made request, or an attempt at request smuggling (RFC 9112 section 2.2)",
    remedy: MALFORMED_REMEDY,
  }),
  invalidFieldName: defineError({
    code: "RS5109",
    name: "invalid_field_name",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The name of a header field is empty or holds a character that is not allowed",
    cause: "A faulty sender, or an attempt at request smuggling (RFC 9110 section 5.1)",
    remedy: MALFORMED_REMEDY,
  }),
  spaceBeforeColon: defineError({
    code: "RS5110",
    name: "space_before_colon",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "There is a space between the name of a header field and its colon",
    cause: "A faulty sender, or an attempt at request smuggling (RFC 9112 section 5.1)",
    remedy: MALFORMED_REMEDY,
  }),
  obsFold: defineError({
    code: "RS5111",
    name: "obs_fold",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "A header field goes on in the next line",
    cause: "A very old sender, or an attempt at request smuggling (RFC 9112 section 5.2)",
    remedy: MALFORMED_REMEDY,
  }),
  invalidFieldValue: defineError({
    code: "RS5112",
    name: "invalid_field_value",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The value of a header field holds a control character",
    cause: "Binary data put into a header field (RFC 9110 section 5.5)",
    remedy: "Encode the value, for example in base64",
  }),
  headTooLarge: defineError({
    code: "RS5113",
    name: "head_too_large",
    status: 431,
    grpcStatus: GRPC_RESOURCE_EXHAUSTED,
    title: "The header section is larger than the limit",
    cause: "Cookies or tokens that grew without bound (RFC 6585 section 5)",
    remedy: LIMIT_REMEDY,
  }),
  tooManyFields: defineError({
    code: "RS5114",
    name: "too_many_fields",
    status: 431,
    grpcStatus: GRPC_RESOURCE_EXHAUSTED,
    title: "There are more header fields than the limit",
    cause: "A client or a chain of proxies that adds fields in a loop (RFC 6585 section 5)",
    remedy: LIMIT_REMEDY,
  }),
  hostMissing: defineError({
    code: "RS5115",
    name: "host_missing",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The HTTP/1.1 request has no Host field",
    cause: "A hand-made request (RFC 9112 section 3.2)",
    remedy: "Send exactly one Host field",
  }),
  hostDuplicate: defineError({
    code: "RS5116",
    name: "host_duplicate",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The request has more than one Host field",
    cause: "A faulty sender, or an attempt to get around host rules (RFC 9112 section 3.2)",
    remedy: "Send exactly one Host field",
  }),
  hostInvalid: defineError({
    code: "RS5117",
    name: "host_invalid",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The host of the request is not a host name or address with an optional port",
    cause: "User names, paths, lists or other characters in the Host field (RFC 9112 section 3.2)",
    remedy: "Send the host alone, with a port from 0 to 65535 if needed",
  }),
  hostMismatch: defineError({
    code: "RS5118",
    name: "host_mismatch",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The Host field differs from the host in the request target",
    cause: "A faulty client of a proxy, or an attempt to get around host rules (RFC 9112 section 3.2.2)",
    remedy: "Send the same host in both places",
  }),
  contentLengthInvalid: defineError({
    code: "RS5119",
    name: "content_length_invalid",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "Content-Length is not a plain decimal number",
    cause: "A faulty sender, or an attempt at request smuggling (RFC 9110 section 8.6)",
    remedy: MALFORMED_REMEDY,
  }),
  contentLengthDuplicate: defineError({
    code: "RS5120",
    name: "content_length_duplicate",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "Content-Length is given more than once",
    cause: "A faulty sender, or an attempt at request smuggling (RFC 9112 section 6.3)",
    remedy: MALFORMED_REMEDY,
  }),
  lengthAndTransferEncoding: defineError({
    code: "RS5121",
    name: "length_and_transfer_encoding",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The message has both Content-Length and Transfer-Encoding",
    cause: "A faulty sender, or an attempt at request smuggling (RFC 9112 section 6.1)",
    remedy: MALFORMED_REMEDY,
  }),
  transferEncodingInvalid: defineError({
    code: "RS5122",
    name: "transfer_encoding_invalid",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "Transfer-Encoding does not end in exactly one chunked",
    cause: "A faulty sender, or an attempt at request smuggling (RFC 9112 section 6.3)",
    remedy: MALFORMED_REMEDY,
  }),
  transferCodingUnknown: defineError({
    code: "RS5123",
    name: "transfer_coding_unknown",
    status: 501,
    grpcStatus: GRPC_UNIMPLEMENTED,
    title: "The message uses a transfer coding other than chunked",
    cause: "A sender that compresses by Transfer-Encoding (RFC 9112 section 6.1)",
    remedy: "Use Content-Encoding for compression",
  }),
  transferEncodingInHttp10: defineError({
    code: "RS5124",
    name: "transfer_encoding_in_http10",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "An HTTP/1.0 message has Transfer-Encoding",
    cause: "A faulty proxy in front, or an attempt at request smuggling (RFC 9112 section 6.1)",
    remedy: MALFORMED_REMEDY,
  }),
  bodyTooLarge: defineError({
    code: "RS5125",
    name: "body_too_large",
    status: 413,
    grpcStatus: GRPC_RESOURCE_EXHAUSTED,
    title: "The body is larger than the limit",
    cause: "An upload beyond what this listener takes (RFC 9110 section 15.5.14)",
    remedy: LIMIT_REMEDY,
  }),
  chunkSizeInvalid: defineError({
    code: "RS5126",
    name: "chunk_size_invalid",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The size of a chunk is not a plain hexadecimal number",
    cause: "A faulty sender, or an attempt at request smuggling (RFC 9112 section 7.1)",
    remedy: MALFORMED_REMEDY,
  }),
  chunkSizeTooLarge: defineError({
    code: "RS5127",
    name: "chunk_size_too_large",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The size of a chunk is too large to be counted",
    cause: "An attempt to make the number overflow (RFC 9112 section 7.1)",
    remedy: MALFORMED_REMEDY,
  }),
  chunkExtensionInvalid: defineError({
    code: "RS5128",
    name: "chunk_extension_invalid",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "A chunk extension holds a character that is not allowed",
    cause: "A faulty sender, or an attempt at request smuggling (RFC 9112 section 7.1.1)",
    remedy: MALFORMED_REMEDY,
  }),
  chunkExtensionTooLong: defineError({
    code: "RS5129",
    name: "chunk_extension_too_long",
    status: 400,
    grpcStatus: GRPC_RESOURCE_EXHAUSTED,
    title: "The chunk extensions of the message are longer than the limit",
    cause: "An attempt to keep the server busy without a body (RFC 9112 section 7.1.1)",
    remedy: LIMIT_REMEDY,
  }),
  chunkDataUnterminated: defineError({
    code: "RS5130",
    name: "chunk_data_unterminated",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "The data of a chunk is not followed by CRLF",
    cause: "A chunk size that is not the size of the data (RFC 9112 section 7.1)",
    remedy: MALFORMED_REMEDY,
  }),
  trailerForbidden: defineError({
    code: "RS5131",
    name: "trailer_forbidden",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "A trailer field would change the framing or the routing of the message",
    cause: "A faulty sender, or an attempt at request smuggling (RFC 9110 section 6.5.1)",
    remedy: MALFORMED_REMEDY,
  }),
  connectionFieldInvalid: defineError({
    code: "RS5132",
    name: "connection_field_invalid",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "Connection or Upgrade is not a list of names",
    cause: "A faulty sender (RFC 9110 sections 7.6.1 and 7.8)",
    remedy: MALFORMED_REMEDY,
  }),
  expectationUnknown: defineError({
    code: "RS5133",
    name: "expectation_unknown",
    status: 417,
    grpcStatus: GRPC_UNIMPLEMENTED,
    title: "The request expects something other than 100-continue",
    cause: "An Expect field that no server knows (RFC 9110 section 10.1.1)",
    remedy: "Leave the Expect field out",
  }),
  connectWithBody: defineError({
    code: "RS5134",
    name: "connect_with_body",
    status: 400,
    grpcStatus: GRPC_INTERNAL,
    title: "A CONNECT request declares a body",
    cause: "A faulty client, or an attempt at request smuggling (RFC 9110 section 9.3.6)",
    remedy: MALFORMED_REMEDY,
  }),
  truncated: defineError({
    code: "RS5135",
    name: "message_truncated",
    status: 400,
    grpcStatus: GRPC_UNAVAILABLE,
    title: "The connection was closed in the middle of a message",
    cause: "The sender was stopped, or gave up (RFC 9112 section 8)",
    remedy: "Look at the sender's log for the reason; send the message again if that is safe",
  }),
  requestTimeout: defineError({
    code: "RS5136",
    name: "request_timeout",
    status: 408,
    grpcStatus: GRPC_DEADLINE_EXCEEDED,
    title: "The request did not arrive in time",
    cause: "A slow network, or a client that holds connections on purpose (RFC 9110 section 15.5.9)",
    remedy: "Send the request again",
  }),
  invalidStatusLine: defineError({
    code: "RS5140",
    name: "invalid_status_line",
    status: 502,
    grpcStatus: GRPC_UNAVAILABLE,
    title: "The response does not start with HTTP/1.1 and a status from 100 to 599",
    cause: "The upstream does not speak HTTP/1.1 on this port (RFC 9112 section 4)",
    remedy: "Check the protocol that the service's port declares",
  }),
  unexpectedBytes: defineError({
    code: "RS5141",
    name: "unexpected_bytes",
    status: 502,
    grpcStatus: GRPC_UNAVAILABLE,
    title: "The upstream sent bytes that belong to no request",
    cause: "A body longer than declared, or a body where none is allowed (RFC 9112 section 9.2)",
    remedy: "Correct the upstream; its connection was closed so that the bytes reach nobody",
  }),
  unexpectedUpgrade: defineError({
    code: "RS5142",
    name: "unexpected_upgrade",
    status: 502,
    grpcStatus: GRPC_UNAVAILABLE,
    title: "The upstream switched to a protocol that the request did not ask for",
    cause: "A faulty upstream (RFC 9110 section 15.2.2)",
    remedy: "Correct the upstream",
  }),
  tooManyInformational: defineError({
    code: "RS5143",
    name: "too_many_informational",
    status: 502,
    grpcStatus: GRPC_UNAVAILABLE,
    title: "The upstream sent more interim responses than the limit",
    cause: "A faulty upstream (RFC 9110 section 15.2)",
    remedy: "Correct the upstream",
  }),
  bodyNotAllowed: defineError({
    code: "RS5144",
    name: "body_not_allowed",
    status: 502,
    grpcStatus: GRPC_UNAVAILABLE,
    title: "A 1xx or 204 response declares a body",
    cause: "A faulty upstream (RFC 9112 section 6)",
    remedy: "Correct the upstream",
  }),
  headNotWritable: defineError({
    code: "RS5145",
    name: "head_not_writable",
    status: 502,
    grpcStatus: GRPC_INTERNAL,
    title: "A header field or the path holds a line break, a NUL or text that would split the message",
    cause: "A filter or an HTTP/2 peer set a value that HTTP/1.1 cannot carry (RFC 9110 section 5.5)",
    remedy: "Correct the value; it is never sent on",
  }),
};

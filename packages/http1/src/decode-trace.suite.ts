// For tests: runs a decoder over bytes and writes down what it said, one line an event, the same for every split.

import { Buffer } from "node:buffer";
import type { HeaderList, RequestHead, ResponseHead } from "@ripstop/http";
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "./limits.ts";
import type { Http1BodySink } from "./message-decoder.ts";
import { Http1RequestDecoder } from "./request-decoder.ts";
import { Http1ResponseDecoder } from "./response-decoder.ts";

/** What is decoded and how. */
export interface TraceInput {
  readonly role: "request" | "response";
  /** Of the request that a response answers. */
  readonly method?: string;
  /** That the request asked to switch to. */
  readonly protocol?: string;
  /** The bytes end with the end of the connection. */
  readonly isClosed?: boolean;
  readonly limits?: Partial<Http1Limits>;
}

/** The events of decoding `pieces` one after the other. */
export function traceDecode(input: TraceInput, pieces: readonly Buffer[]): string[] {
  const lines: string[] = [];
  let body = "";
  const flushBody = (): void => {
    if (body !== "") lines.push(`body ${JSON.stringify(body)}`);
    body = "";
  };
  const say = (line: string): void => {
    flushBody();
    lines.push(line);
  };
  const sayFields = (word: string, list: HeaderList): void => {
    for (let at = 0; at < list.length; at++) say(`${word} ${list.nameAt(at)}: ${list.valueAt(at)}`);
  };
  const sink: Http1BodySink = {
    onBody(buf, start, end) {
      body += buf.latin1Slice(start, end);
    },
    onTrailers(trailers) {
      say("trailers");
      sayFields("trailer", trailers);
    },
    onEnd: () => say("end"),
    onError: (error) => say(`error ${error.name} ${error.status}`),
  };
  const limits = { ...DEFAULT_HTTP1_LIMITS, ...input.limits };
  const decoder =
    input.role === "request"
      ? requestDecoder(sink, limits, say, sayFields)
      : responseDecoder(input, sink, limits, say, sayFields);
  let rest = 0;
  for (const piece of pieces) {
    let pos = 0;
    while (pos < piece.length && rest === 0) {
      const taken = decoder.decode(piece, pos, piece.length);
      if (decoder.isComplete && decoder instanceof Http1RequestDecoder && !opensTunnel(decoder.head)) decoder.next();
      else if (taken === pos) break;
      pos = taken;
    }
    rest += piece.length - pos;
  }
  flushBody();
  if (decoder.hasFailed) return lines;
  if (rest > 0) say(`rest ${rest}`);
  if (input.isClosed === true) decoder.finish();
  return lines;
}

/** `bytes` cut at `cuts` (offsets, ascending). */
export function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    // Own memory for each: a decoder that looks outside its range reads something else.
    pieces.push(Buffer.from(bytes.subarray(from, cut)));
    from = cut;
  }
  return pieces;
}

function opensTunnel(head: RequestHead): boolean {
  return head.protocol !== "" || head.method === "CONNECT";
}

type Say = (line: string) => void;
type SayFields = (word: string, list: HeaderList) => void;

function requestDecoder(sink: Http1BodySink, limits: Http1Limits, say: Say, sayFields: SayFields): Http1RequestDecoder {
  const decoder: Http1RequestDecoder = new Http1RequestDecoder(
    {
      ...sink,
      onRequest(head, end) {
        let line = `request ${head.method} ${head.path} HTTP/${head.version / 10} authority=${head.authority}`;
        if (head.scheme !== "") line += ` scheme=${head.scheme}`;
        if (head.contentLength >= 0) line += ` length=${head.contentLength}`;
        if (head.protocol !== "") line += ` protocol=${head.protocol}`;
        if (head.expectsContinue) line += " continue";
        if (!decoder.keepAlive) line += " close";
        say(line + (end ? " end" : ""));
        sayFields("header", head.headers);
      },
    },
    limits,
  );
  return decoder;
}

function responseDecoder(
  input: TraceInput,
  sink: Http1BodySink,
  limits: Http1Limits,
  say: Say,
  sayFields: SayFields,
): Http1ResponseDecoder {
  const describe = (head: ResponseHead): string =>
    `${head.status} HTTP/${head.version / 10}` +
    (head.contentLength >= 0 ? ` length=${head.contentLength}` : "") +
    (head.protocol === "" ? "" : ` protocol=${head.protocol}`);
  const decoder: Http1ResponseDecoder = new Http1ResponseDecoder(
    {
      ...sink,
      onInformational(head) {
        say(`informational ${describe(head)}`);
        sayFields("header", head.headers);
      },
      onResponse(head, end) {
        const tunnel = decoder.isTunnel ? " tunnel" : "";
        say(`response ${describe(head)}${decoder.keepAlive ? "" : " close"}${tunnel}${end ? " end" : ""}`);
        sayFields("header", head.headers);
      },
    },
    limits,
  );
  decoder.expect(input.method ?? "GET", input.protocol ?? "");
  return decoder;
}

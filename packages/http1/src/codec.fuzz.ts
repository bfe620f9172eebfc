// Fuzzer: pieces of valid and hostile messages in random order, at random splits. Every split must give the same
// events, and only typed errors may come out.

import assert from "node:assert/strict";
import { fuzz } from "@ripstop/testkit";
import { cutAt, traceDecode, type TraceInput } from "./decode-trace.suite.ts";

const PIECES = [
  "GET / HTTP/1.1\r\n",
  "POST /x?y HTTP/1.1\r\n",
  "CONNECT a:1 HTTP/1.1\r\n",
  "OPTIONS * HTTP/1.1\r\n",
  "GET http://a/ HTTP/1.0\r\n",
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 304\r\n",
  "HTTP/1.0 404 Not Found\r\n",
  "Host: a\r\n",
  "host: b:80\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Content-Length: +5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Connection: close, x\r\n",
  "Connection: upgrade\r\n",
  "Upgrade: websocket\r\n",
  "Expect: 100-continue\r\n",
  "X: y\r\n",
  "X-Long-Name-Here: some value here\r\n",
  "TE: trailers\r\n",
  "\r\n",
  "\r\n\r\n",
  "hello",
  "5\r\nhello\r\n",
  "0\r\n\r\n",
  "0\r\nX: y\r\n\r\n",
  "5;a=b\r\nhello\r\n",
  "ffffffffffffff\r\n",
  " ",
  "\t",
  ":",
  "\r",
  "\n",
  "\0",
  "\x7f",
  "\xe9",
  ",",
  ";",
  "0",
  "a",
  "HTTP/1.1",
  " : ",
  "\n\n",
];

fuzz("http1 decoder", (random) => {
  const input: TraceInput = {
    role: random.pick(["request", "response"] as const),
    method: random.pick(["GET", "HEAD", "CONNECT"]),
    protocol: random.pick(["", "websocket"]),
    isClosed: random.next() < 0.5,
    limits:
      random.next() < 0.3
        ? { maxHeadBytes: 20 + random.integer(80), maxFields: 3, maxTargetBytes: 8, maxBodyBytes: 8 }
        : {},
  };
  let text =
    random.next() < 0.7 ? (input.role === "request" ? "POST / HTTP/1.1\r\nHost: a\r\n" : "HTTP/1.1 200 OK\r\n") : "";
  for (let count = random.integer(12); count > 0; count--) text += random.pick(PIECES);
  const bytes = Buffer.from(text, "latin1");
  const whole = traceDecode(input, [bytes]);
  const cuts = Array.from({ length: Math.max(0, bytes.length - 1) }, (_, at) => at + 1).filter(
    () => random.next() < 0.3,
  );
  assert.deepEqual(traceDecode(input, cutAt(bytes, cuts)), whole, JSON.stringify(text));
  const errors = whole.filter((line) => line.startsWith("error "));
  assert.ok(errors.length === 0 || whole.at(-1) === errors[0], "nothing follows an error");
});

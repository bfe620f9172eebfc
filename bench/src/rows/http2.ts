// HTTP/2 with prior knowledge on both sides: many requests on few connections, and one at a time on many.

import { cpuPerRequest } from "../goals.ts";
import { h2load } from "../load.ts";
import { http2Upstreams } from "../upstream.ts";
import { meanColumns, requestRow } from "./request-row.ts";
import type { Row } from "./row.ts";

export const http2Multiplexed: Row = requestRow({
  id: "http2-multiplexed",
  title: "HTTP/2, 4 connections × 16 streams",
  what: "h2load sends GET requests with 10 usual headers, 16 at a time on each of 4 connections; three nghttpd answer 95 bytes.",
  protocol: "http2",
  latency: meanColumns,
  upstreams: http2Upstreams,
  load: (port, seconds) => h2load(`http://127.0.0.1:${port}/`, { connections: 4, streams: 16, seconds }),
  judge: (entries) => cpuPerRequest(entries, { HAProxy: 0.8, Envoy: 0.4 }),
});

export const http2Single: Row = requestRow({
  id: "http2-single",
  title: "HTTP/2, 32 connections × 1 stream",
  what: "The same requests, one at a time on each of 32 connections.",
  protocol: "http2",
  latency: meanColumns,
  upstreams: http2Upstreams,
  load: (port, seconds) => h2load(`http://127.0.0.1:${port}/`, { connections: 32, streams: 1, seconds }),
  judge: (entries) => cpuPerRequest(entries, { HAProxy: 1.1, Envoy: 0.7 }),
});

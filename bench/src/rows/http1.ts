// HTTP/1.1 with a realistic request.

import { cpuPerRequest } from "../goals.ts";
import { wrk } from "../load.ts";
import { http1Upstreams } from "../upstream.ts";
import { percentileColumns, requestRow } from "./request-row.ts";
import type { Row } from "./row.ts";

export const http1: Row = requestRow({
  id: "http1",
  title: "HTTP/1.1, 11 headers, 32 connections",
  what: "wrk sends GET requests of about 700 bytes on 32 kept connections, one at a time on each; three nginx answer 95 bytes.",
  protocol: "http1",
  latency: percentileColumns,
  upstreams: http1Upstreams,
  load: (port, seconds) => wrk(`http://127.0.0.1:${port}/api/items?page=2`, 32, seconds),
  judge: (entries) => cpuPerRequest(entries, { HAProxy: 1.15, Envoy: 0.7 }),
});

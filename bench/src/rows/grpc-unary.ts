// gRPC unary calls: POST with a framed message, an answer with a framed message and trailers.

import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { join } from "node:path";
import { cpuPerRequest } from "../goals.ts";
import { h2load } from "../load.ts";
import { GRPC_PATH, grpcMessage, grpcUpstreams } from "../upstream.ts";
import { meanColumns, requestRow } from "./request-row.ts";
import type { Row } from "./row.ts";

const MESSAGE_BYTES = 32;
const headers = [
  ["content-type", "application/grpc"],
  ["te", "trailers"],
  ["user-agent", "grpc-node-js/1.13.0"],
  ["grpc-accept-encoding", "identity,deflate,gzip"],
  ["grpc-timeout", "30S"],
  ["authorization", "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"],
] as const;
let bodyFile = "";

export const grpcUnary: Row = requestRow({
  id: "grpc-unary",
  title: "gRPC unary, 4 connections × 16 streams",
  what: "h2load sends POST requests with gRPC headers and a 32-byte message, 16 at a time on each of 4 connections; three nghttpd answer a 32-byte message and the trailer grpc-status. One call is checked to its trailer before the load.",
  protocol: "http2",
  latency: meanColumns,
  upstreams: (count, folder) => {
    mkdirSync(folder, { recursive: true });
    bodyFile = join(folder, "request.bin");
    writeFileSync(bodyFile, grpcMessage(MESSAGE_BYTES));
    return grpcUpstreams(count, folder);
  },
  load: (port, seconds) =>
    h2load(`http://127.0.0.1:${port}${GRPC_PATH}`, { connections: 4, streams: 16, seconds, bodyFile, headers }),
  check: checkTrailer,
  judge: (entries) => cpuPerRequest(entries, { HAProxy: 0.8, Envoy: 0.4 }),
});

/** One call; rejects unless the answer ends with grpc-status 0. */
function checkTrailer(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`);
    session.once("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": GRPC_PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let status: unknown;
    stream.once("error", reject);
    stream.on("trailers", (trailers) => (status = trailers["grpc-status"]));
    stream.on("close", () => {
      session.close();
      if (status === "0") resolve();
      else reject(new Error(`a gRPC call came back without its trailer (grpc-status ${String(status)})`));
    });
    stream.resume();
    stream.end(grpcMessage(MESSAGE_BYTES));
  });
}

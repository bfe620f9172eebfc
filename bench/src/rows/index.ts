// All rows, in the order of the report.

import { grpcUnary } from "./grpc-unary.ts";
import { handshakes } from "./handshakes.ts";
import { http1 } from "./http1.ts";
import { http2Multiplexed, http2Single } from "./http2.ts";
import { idleConnections } from "./idle-connections.ts";
import { memory } from "./memory.ts";
import { meshHop } from "./mesh-hop.ts";
import { meshLatency } from "./mesh-latency.ts";
import type { Row } from "./row.ts";
import { start } from "./start.ts";
import { tcpBulk } from "./tcp-bulk.ts";

/** Every row of the comparison. */
export const rows: readonly Row[] = [
  http1,
  http2Multiplexed,
  grpcUnary,
  http2Single,
  meshHop,
  meshLatency,
  tcpBulk,
  handshakes,
  idleConnections,
  memory,
  start,
];

// gRPC on one connection of the Workload API: a grpc-js server of its own, so that every call on it is known to come from
// the process that the kernel named when it connected.

import type { Socket } from "node:net";

import { Server, ServerCredentials } from "@grpc/grpc-js";

import { workloadApiHandlers, type ServedCaller } from "./workload-api-handlers.ts";
import { workloadApiService } from "./workload-api-service.ts";

/** A connection that is served. */
export interface WorkloadApiConnection {
  /** Ends its calls and the connection; a second call does nothing. */
  close(): void;
}

const MAX_STREAMS = 32;
/** The largest request holds a token of 16 KiB and an audience. */
const MAX_REQUEST_BYTES = 64 * 1024;

const LAST_WORDS_MS = 500;

/** Serves `socket` until it closes. */
export function serveConnection(socket: Socket, served: Omit<ServedCaller, "ended">): WorkloadApiConnection {
  const server = new Server({
    "grpc.max_concurrent_streams": MAX_STREAMS,
    "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
    "grpc.enable_channelz": 0,
  });
  const ended = new AbortController();
  server.addService(workloadApiService, workloadApiHandlers({ ...served, ended: ended.signal }));
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  injector.injectConnection(socket);
  return {
    close() {
      if (ended.signal.aborted) return;
      ended.abort();
      // The last words of the streams leave first; who does not take them is cut off.
      const timer = served.clock.after(LAST_WORDS_MS, () => server.forceShutdown());
      server.tryShutdown(() => {
        timer.clear();
        injector.destroy();
        socket.destroy();
      });
    },
  };
}

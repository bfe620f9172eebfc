// The socket of the SPIFFE Workload API (SPIFFE Workload Endpoint standard §3). What answers is loaded when somebody
// calls, so that a socket that nobody uses costs next to nothing.

import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";

import { err, ok, RipstopError, type Clock, type Result } from "@ripstop/core";

import { workloadApiNotListening } from "../errors.ts";
import type { PeerCredentials, WorkloadIdentitySource } from "../workload-identity-source.ts";
import type { WorkloadApiConnection } from "./serve-connection.ts";

/** How to serve the Workload API. */
export interface WorkloadApiOptions {
  /** Path of the socket, at most 107 bytes. A socket file left by a dead process is replaced. */
  readonly path: string;
  /** Permissions of the socket file: 0o600 for one user, 0o666 for every process of a host. */
  readonly mode: number;
  readonly source: WorkloadIdentitySource;
  readonly clock: Clock;
  /** Who is at the other end, from the kernel; a sentence when that cannot be told, and the connection is closed. */
  credentialsOf(socket: Socket): Result<PeerCredentials, string>;
  /** Takes one line for the operator. */
  readonly report?: (line: string) => void;
}

/** A Workload API that listens. */
export interface WorkloadApiListener {
  /** For SPIFFE_ENDPOINT_SOCKET: "unix:///PATH". */
  readonly address: string;
  /** Ends every stream with UNAVAILABLE (clients connect anew) and stops listening. */
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 512;
/** No user and no process can take all connections. */
const MAX_CONNECTIONS_PER_USER = 256;
const MAX_CONNECTIONS_PER_PROCESS = 32;

/** Listens; fails with RS4030. */
export async function listenWorkloadApi(
  options: WorkloadApiOptions,
): Promise<Result<WorkloadApiListener, RipstopError>> {
  const open = new Map<Socket, { readonly caller: PeerCredentials; connection: WorkloadApiConnection | undefined }>();
  let closed = false;

  function accept(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    const caller = options.credentialsOf(socket);
    if (!caller.ok) {
      options.report?.(`a caller of the Workload API was refused: ${caller.error}`);
      socket.destroy();
      return;
    }
    if (!mayConnect(caller.value, [...open.values()])) {
      socket.destroy();
      return;
    }
    open.set(socket, { caller: caller.value, connection: undefined });
    socket.on("close", () => {
      const entry = open.get(socket);
      open.delete(socket);
      entry?.connection?.close();
    });
    void serve(socket, caller.value);
  }

  /** What arrives meanwhile stays in the socket's buffer, which is bounded. */
  async function serve(socket: Socket, caller: PeerCredentials): Promise<void> {
    try {
      const { serveConnection } = await import("./serve-connection.ts");
      const entry = open.get(socket);
      if (entry === undefined || closed) socket.destroy();
      else entry.connection = serveConnection(socket, { caller, source: options.source, clock: options.clock });
    } catch (error) {
      options.report?.(`the Workload API cannot serve a caller: ${String(error)}`);
      socket.destroy();
    }
  }

  const server = createServer(accept);
  server.maxConnections = MAX_CONNECTIONS;
  const listening = await listen(server, options);
  if (!listening.ok) return listening;
  return ok({
    address: workloadApiAddress(options.path),
    async close() {
      closed = true;
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const [socket, { connection }] of open) {
        if (connection === undefined) socket.destroy();
        else connection.close();
      }
      await ended;
      rmSync(options.path, { force: true });
    },
  });
}

/** What SPIFFE_ENDPOINT_SOCKET says for a socket (SPIFFE Workload Endpoint §4). */
export function workloadApiAddress(path: string): string {
  return `unix://${path}`;
}

function mayConnect(caller: PeerCredentials, open: readonly { readonly caller: PeerCredentials }[]): boolean {
  let ofUser = 0;
  let ofProcess = 0;
  for (const { caller: other } of open) {
    if (other.uid === caller.uid) ofUser++;
    if (other.pid === caller.pid) ofProcess++;
  }
  // Process 0: the platform does not tell the caller's number.
  return ofUser < MAX_CONNECTIONS_PER_USER && (caller.pid === 0 || ofProcess < MAX_CONNECTIONS_PER_PROCESS);
}

function listen(server: Server, { path, mode }: WorkloadApiOptions): Promise<Result<undefined, RipstopError>> {
  return new Promise((resolve) => {
    const failed = (error: unknown): void =>
      resolve(
        err(new RipstopError(workloadApiNotListening, `${path}: ${error instanceof Error ? error.message : ""}`)),
      );
    server.once("error", failed);
    // The file must not be open to others for a moment between its making and its mode.
    const mask = process.umask(0o177);
    try {
      rmSync(path, { force: true });
      server.listen({ path }, () => {
        try {
          chmodSync(path, mode);
          resolve(ok(undefined));
        } catch (error) {
          server.close();
          failed(error);
        }
      });
    } catch (error) {
      failed(error);
    } finally {
      process.umask(mask);
    }
  });
}

// Takes accepted connections as bare handles, before node:net makes a Socket of each.

import type { Server } from "node:net";

/** Calls `take` with each accepted handle. Throws an Error when this Node has no such hook. */
export function acceptHandles<Handle extends object>(server: Server, take: (handle: Handle) => void): void {
  const listening: unknown = Reflect.get(server, "_handle");
  if (typeof listening !== "object" || listening === null || !("onconnection" in listening)) {
    throw new Error("the server's handle has no onconnection");
  }
  const onConnection = (status: number, handle: Handle | undefined): void => {
    // A failed accept (EMFILE): the connection is lost, the listener lives.
    if (status === 0 && handle) take(handle);
  };
  Reflect.set(listening, "onconnection", onConnection);
}

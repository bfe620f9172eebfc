// Sessions for tests of what runs on them.

import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { PatientClock } from "@ripstop/testkit";

import { ControlSession } from "./control-session.ts";

/** A session to an h2c server on the loopback `port`. */
export async function plainSession(port: number): Promise<ControlSession> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return quietSession(socket);
}

/** A session over a connected socket; nobody hears of its problems. */
export function quietSession(socket: Socket): ControlSession {
  socket.on("error", () => undefined);
  return new ControlSession(socket, new PatientClock(), {
    onGoaway: () => undefined,
    onError: () => undefined,
    onPong: () => undefined,
  });
}

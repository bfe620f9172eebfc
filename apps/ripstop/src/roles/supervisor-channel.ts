// The proxy's end of the IPC channel to its supervisor (packages/model/src/bootstrap.ts).

import type { ProxyMessage, SupervisorMessage } from "@ripstop/model";
import type { ListeningSocket } from "@ripstop/net";

/** Tells the supervisor; nothing happens without one. */
export function tell(message: ProxyMessage): void {
  // The callback takes the error of a supervisor that is gone at this moment: "disconnect" follows.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

/** Gives the supervisor a copy of a listening socket. */
export function tellSocket(message: ProxyMessage, socket: ListeningSocket): void {
  if (process.connected) process.send?.(message, socket, undefined, () => {});
}

/** The sockets that the supervisor sends before "take-over", by key; none when the channel ends first. */
export function takeOverSockets(): Promise<ReadonlyMap<string, ListeningSocket>> {
  const sockets = new Map<string, ListeningSocket>();
  return new Promise((resolve) => {
    const finish = (): void => {
      process.off("message", onMessage);
      process.off("disconnect", finish);
      resolve(sockets);
    };
    const onMessage = (message: unknown, socket: unknown): void => {
      if (!isSupervisorMessage(message)) return;
      if (message.type === "take-over") finish();
      else if (message.type === "listener" && isSocket(socket)) sockets.set(message.key, socket);
    };
    process.on("message", onMessage);
    process.on("disconnect", finish);
  });
}

/** Whether a message is one of the contract. The supervisor is trusted: the type stands for the rest. */
export function isSupervisorMessage(value: unknown): value is SupervisorMessage {
  if (typeof value !== "object" || value === null || !("type" in value)) return false;
  switch (value.type) {
    case "identity":
      return "workloadId" in value && typeof value.workloadId === "string";
    case "control-addresses":
      return "addresses" in value && Array.isArray(value.addresses);
    case "drain":
    case "retire":
      return "deadlineMs" in value && typeof value.deadlineMs === "number";
    case "listener":
    case "listener-closed":
      return "key" in value && typeof value.key === "string";
    case "ask":
      return "id" in value && "question" in value && typeof value.question === "object";
    case "answers":
      return "id" in value && "answers" in value && Array.isArray(value.answers);
    default:
      return value.type === "take-over" || value.type === "lead";
  }
}

/** Whether what came with a message is a socket. The supervisor is trusted. */
export function isSocket(value: unknown): value is ListeningSocket {
  return typeof value === "object" && value !== null;
}

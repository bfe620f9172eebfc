// Ports for the listeners of a Gateway under test.

import { createServer } from "node:net";
import { freePort } from "@ripstop/testkit";

/** A number so that each of `ports` plus it is a port that nobody else listens on. */
export async function freeOffset(ports: readonly number[]): Promise<number> {
  for (;;) {
    const offset = (await freePort()) - (ports[0] ?? 0);
    const free = await Promise.all(ports.map((port) => isFree(offset + port)));
    if (free.every(Boolean)) return offset;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

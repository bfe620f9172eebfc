// Ports for the listeners of a Gateway under test.

import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * A number so that each of `ports` plus it is a free port, below those that the system gives to outgoing connections: in
 * between a connection of another test could take one.
 */
export async function freeOffset(ports: readonly number[]): Promise<number> {
  for (;;) {
    const offset = randomInt(10_000, 31_000);
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

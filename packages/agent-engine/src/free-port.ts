// A free TCP port on loopback, for an application that takes any.

import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const FIRST = 10_000;
/** Linux gives outgoing connections, and listeners that name no port, ports from 32,768 on. */
const END = 32_000;
const TRIES = 100;

/**
 * A port that was free a moment ago, below those that the system gives away by itself: the application needs a while
 * to start, and any connection of this machine could take one of those meanwhile. Rejects when no port is free.
 */
export async function freePort(): Promise<number> {
  let failure: unknown;
  for (let count = 0; count < TRIES; count++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
      return await tryPort(randomInt(FIRST, END));
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function tryPort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(port)));
  });
}

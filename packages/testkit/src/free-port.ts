// Ports for programs that cannot choose one themselves.

import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const FIRST = 10_000;
/** Linux gives outgoing connections ports from 32,768 on. */
const END = 32_000;

/**
 * A port of `host` that nobody listens on, below those that the system gives to outgoing connections: in between a
 * connection of another test could take it.
 */
export async function freePort(host: string = "127.0.0.1"): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, host, () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

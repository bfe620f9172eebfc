// A free TCP port on loopback, for an application that takes any.

import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

/** Linux gives ports from 32,768 on to connections and to listeners that take any: they could take one before the application does. */
const FIRST = 10_000;
/** Tests that choose ports for programs take those from here on. */
const END = 20_000;
const ATTEMPTS = 200;

/** Names of the chosen ports, kept until this process ends. */
const claims: Server[] = [];

/**
 * A port that nobody listens on, and that no other process of this host chooses this way while this one lives: seconds may
 * pass until the application listens on it. Rejects when the machine has none left. `choose` gives candidates.
 */
export async function freePort(choose: () => number = () => randomInt(FIRST, END)): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = choose();
    // oxlint-disable-next-line no-await-in-loop -- one after the other, until one is free
    if ((await claim(port)) && (await listened(port)) !== undefined) return port;
  }
  const port = await listened(0);
  if (port === undefined) throw new Error("no port is free");
  return port;
}

/** False when another process holds the name of the port: an abstract Unix socket, which Linux frees with the process. */
function claim(port: number): Promise<boolean> {
  if (process.platform !== "linux") return Promise.resolve(true);
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", () => resolve(false));
    server.listen(`\0ripstop-port-${port}`, () => {
      claims.push(server.unref());
      resolve(true);
    });
  });
}

/** Listens on the port, and ends that; the port, or undefined when it is taken. */
function listened(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === "object" ? address.port : undefined));
    });
  });
}

// A free TCP port on loopback, for an application that takes any.

import { createServer } from "node:net";

/** A port that was free a moment ago; rejects when the machine has none left. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("no port was given"));
      });
    });
  });
}

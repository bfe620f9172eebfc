// Ports for applications that take any.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { freePort } from "./free-port.ts";

/** Gives these, one after the other, and then any. */
function candidates(...ports: readonly number[]): () => number {
  let at = 0;
  return () => ports[at++] ?? randomInt(10_000, 20_000);
}

describe("a free port", () => {
  it("is below those that the system gives to connections, and those that tests choose", async () => {
    const port = await freePort();
    assert.ok(port >= 10_000 && port < 20_000, String(port));
  });

  it("is not one that somebody listens on", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port: taken } = server.address() as AddressInfo;
    assert.notEqual(await freePort(candidates(taken)), taken);
    server.close();
    await once(server, "close");
  });

  it(
    "is not chosen twice before the application listens on it",
    { skip: process.platform === "linux" ? false : "needs abstract Unix sockets (Linux)" },
    async () => {
      const first = await freePort();
      const second = await freePort(candidates(first, first));
      assert.notEqual(second, first);
    },
  );
});

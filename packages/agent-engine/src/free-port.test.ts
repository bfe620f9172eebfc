import assert from "node:assert/strict";
import { createServer, type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { freePort } from "./free-port.ts";

describe("freePort", () => {
  it("gives a port that can be listened on and that the system gives to nobody by itself", async () => {
    const server = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    assert.equal((server.address() as AddressInfo).port, port);
    assert.ok(port >= 10_000 && port < 32_000, String(port));
    await new Promise((resolve) => server.close(resolve));
  });
});

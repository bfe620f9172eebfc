import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { freePort } from "./free-port.ts";

describe("freePort", () => {
  it("gives no port twice, also while nobody listens yet", async () => {
    const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
    assert.equal(new Set(ports).size, 50);
    assert.ok(ports.every((port) => port >= 20_000 && port < 32_000));
  });

  it("passes over a port that somebody listens on", async () => {
    const server = createServer();
    // The one that would be next, unless somebody else has it: then it is passed over as well.
    const next = (await freePort()) + 1;
    await new Promise<void>((resolve) => {
      server.once("error", () => resolve()).listen(next, "127.0.0.1", resolve);
    });
    assert.notEqual(await freePort(), next);
    server.close();
  });
});

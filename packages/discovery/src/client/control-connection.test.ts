// How long the connection to the control plane is waited for.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

import type { Timer } from "@ripstop/core";
import { StoppedClock, TestAuthority } from "@ripstop/testkit";

import { ControlConnection } from "./control-connection.ts";

/** Remembers how long the newest timer was set for. */
class RecordingClock extends StoppedClock {
  newestMs = -1;

  override after(delayMs: number, run: () => void): Timer {
    this.newestMs = delayMs;
    return super.after(delayMs, run);
  }

  /** Resolves when a timer was set for `delayMs`, and none after it. */
  async untilSet(delayMs: number): Promise<void> {
    while (this.newestMs !== delayMs) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("the connection to the control plane", { timeout: 30_000 }, () => {
  it("is patient with a control plane that is there and slow, and more so after attempts in vain", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ripstop-connection-"));
    const server = createServer();
    try {
      const authority = await (await TestAuthority.create("test.mesh")).intermediate();
      const { chainPem, keyPem } = await authority.issue("spiffe://test.mesh/ns/shop/sa/web");
      const files = { svid: join(folder, "svid"), key: join(folder, "key"), bundle: join(folder, "bundle") };
      writeFileSync(files.svid, chainPem);
      writeFileSync(files.key, keyPem);
      writeFileSync(files.bundle, authority.bundlePem);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const clock = new RecordingClock();
      const connection = new ControlConnection({
        addresses: [`127.0.0.1:${(server.address() as AddressInfo).port}`],
        controlIdentity: "spiffe://test.mesh/ns/ripstop-system/sa/control",
        files,
        verifyPeer: () => ({ ok: false, reason: "never asked" }),
        clock,
        random: () => 0,
      });
      const accepted = (): Promise<Socket> => once(server, "connection").then(([socket]) => socket as Socket);
      let next = accepted();
      connection.start();
      // Without jitter the pauses between the attempts are 50 ms, 100 ms, and so on.
      for (const [attempt, timeoutMs] of [30_000, 30_000, 30_000, 40_000, 40_000].entries()) {
        const socket = await next;
        const closed = once(socket, "close");
        socket.on("error", () => undefined).resume();
        next = accepted();
        // This end has seen that TCP connected: from here on it waits for the handshake.
        await clock.untilSet(timeoutMs);
        clock.advance(timeoutMs - 1);
        assert.ok(!socket.destroyed, "it still waits for this attempt");
        const isSet = (): boolean => clock.pending > 0;
        assert.ok(isSet());
        clock.advance(1);
        await closed;
        // The retry is set when this end has seen its own socket close.
        while (!isSet()) await new Promise((resolve) => setImmediate(resolve));
        clock.advance(50 * 2 ** attempt);
      }
      connection.close();
    } finally {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

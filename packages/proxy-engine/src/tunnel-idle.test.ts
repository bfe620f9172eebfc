// Raw connections through which nothing passes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Protocol } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import { plainEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import { eventually, TcpClient, tcpApp } from "./testing/test-peers.suite.ts";

const SECOND_MS = 1_000;

/** One open tunnel of a proxy whose clock the test moves. */
async function withTunnel(
  tunnelIdleMs: number | undefined,
  run: (parts: {
    readonly clock: StoppedClock;
    readonly client: TcpClient;
    readonly advance: (ms: number) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const mesh = await TestMesh.create();
  const app = await tcpApp((socket) => socket.on("data", (chunk) => socket.write(chunk)));
  const clock = new StoppedClock();
  try {
    mesh.service("shop/echo", {
      ports: [{ port: 80, protocol: Protocol.TCP }],
      endpoints: [plainEndpoint(app.port, { 80: app.port })],
    });
    const web = await mesh.start({
      id: "shop/web-1",
      upstreams: [{ host: "echo", port: 80 }],
      clock,
      ...(tunnelIdleMs === undefined ? {} : { tunnelIdleMs }),
    });
    const client = new TcpClient(web.ports.upstreams[0] ?? 0);
    client.write("hello");
    await client.until("hello");
    clock.advance(SECOND_MS);
    const advance = async (ms: number): Promise<void> => {
      clock.advance(ms);
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    };
    await run({ clock, client, advance });
    client.socket.destroy();
    await eventually(() => web.proxy.live.tunnels === 0);
  } finally {
    await mesh.close();
    await app.close();
  }
}

describe("a raw connection through which nothing passes", () => {
  it("ends after an hour, counted from the last byte", () =>
    withTunnel(undefined, async ({ client, advance }) => {
      await advance(3_000 * SECOND_MS);
      client.write("again");
      await client.until("again");
      await advance(3_000 * SECOND_MS);
      assert.equal(client.closed, false);
      await advance(602 * SECOND_MS);
      await client.untilClosed();
    }));

  it("ends after the time that is set", () =>
    withTunnel(5 * SECOND_MS, async ({ client, advance }) => {
      await advance(4 * SECOND_MS);
      assert.equal(client.closed, false);
      await advance(2 * SECOND_MS);
      await client.untilClosed();
    }));

  it("never ends when the time is 0", () =>
    withTunnel(0, async ({ client, advance }) => {
      await advance(3 * 3_600 * SECOND_MS);
      client.write("still");
      await client.until("still");
    }));
});

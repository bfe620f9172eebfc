import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PatientClock, StoppedClock } from "@ripstop/testkit";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CloseCause, Conn } from "../conn.ts";
import { connSuite, Recorder, type ConnHarness } from "../conn.suite.ts";
import { dial } from "../dial.ts";
import { listen, type Listener } from "../listen.ts";
import { onreadTier } from "./onread-tier.ts";
import { publicTier } from "./public-tier.ts";
import { rawTier } from "./raw-tier.ts";
import type { Tier } from "./tier.ts";

const patient = new PatientClock();

const TIERS: readonly Tier[] = [rawTier, onreadTier, publicTier];

async function mustListen(tier: Tier, onConn: (conn: Conn) => void, path?: string): Promise<Listener> {
  const opened = await listen({ tier, onConn, ...(path === undefined ? {} : { path }) });
  assert.ok(opened.ok);
  return opened.value;
}

function harness(tier: Tier, path?: string): () => Promise<ConnHarness> {
  return async () => {
    const accepted: ((conn: Conn) => void)[] = [];
    const listener = await mustListen(tier, (conn) => accepted.shift()?.(conn), path);
    return {
      live: () => listener.connections,
      close: () => listener.close(),
      async connect(clientHandler, serverHandler) {
        const server = new Promise<Conn>((resolve) =>
          accepted.push((conn) => {
            conn.handler = serverHandler;
            resolve(conn);
          }),
        );
        const client = await new Promise<Conn>((resolve, reject) => {
          const where = path === undefined ? { port: listener.port } : { path };
          dial(
            { ...where, timeoutMs: 60_000, clock: patient, tier },
            {
              onConnected(conn) {
                conn.handler = clientHandler;
                resolve(conn);
              },
              onFailed: (cause) => reject(new Error(cause.message)),
            },
          );
        });
        return { client, server: await server };
      },
    };
  };
}

for (const tier of TIERS) {
  connSuite(`a TCP (${tier.name})`, harness(tier));

  describe(`listening and dialling (${tier.name})`, () => {
    const dialed = (options: { port?: number; host?: string; path?: string }): Promise<CloseCause | Conn> =>
      new Promise((resolve) =>
        dial(
          { ...options, timeoutMs: 60_000, clock: patient, tier },
          {
            onConnected(conn) {
              conn.handler = new Recorder();
              resolve(conn);
            },
            onFailed: resolve,
          },
        ),
      );

    it("says who refused when nothing listens", async () => {
      const listener = await mustListen(tier, () => undefined);
      listener.close();
      const outcome = await dialed({ port: listener.port });
      assert.ok("code" in outcome);
      assert.equal(outcome.code, "ECONNREFUSED");
    });

    it("says that a name does not exist", async () => {
      const outcome = await dialed({ host: "no-such-host.invalid", port: 80 });
      assert.ok("code" in outcome);
      assert.match(outcome.code, /^(ENOTFOUND|EAI_AGAIN)$/);
    });

    it("resolves names", async () => {
      const listener = await mustListen(tier, (conn) => (conn.handler = new Recorder()));
      const outcome = await dialed({ host: "localhost", port: listener.port });
      assert.ok("write" in outcome);
      outcome.destroy();
      listener.close();
    });

    it("gives up after the time-out, exactly once", async () => {
      const clock = new StoppedClock();
      // A listener that never accepts: its backlog fills, then the system answers no more.
      const failures: CloseCause[] = [];
      const attempt = dial(
        { host: "192.0.2.1", port: 9, timeoutMs: 1_000, clock, tier },
        { onConnected: (conn) => conn.destroy(), onFailed: (cause) => failures.push(cause) },
      );
      clock.advance(1_001);
      attempt.cancel();
      clock.advance(10_000);
      assert.equal(failures.length, 1);
      assert.equal(clock.pending, 0);
    });

    it("tells nothing after a cancel", async () => {
      const listener = await mustListen(tier, (conn) => (conn.handler = new Recorder()));
      const clock = new StoppedClock();
      const events: string[] = [];
      dial(
        { port: listener.port, timeoutMs: 1_000, clock, tier },
        { onConnected: () => events.push("connected"), onFailed: () => events.push("failed") },
      ).cancel();
      const outcome = await dialed({ port: listener.port });
      assert.ok("write" in outcome);
      outcome.destroy();
      clock.advance(5_000);
      assert.deepEqual(events, []);
      listener.close();
    });

    it("names the port when it is taken", async () => {
      const listener = await mustListen(tier, () => undefined);
      const second = await listen({ tier, port: listener.port, onConn: () => undefined });
      assert.ok(!second.ok);
      assert.equal(second.error.kind.code, "RS5001");
      assert.equal(second.error.message, `127.0.0.1:${listener.port} is taken by another process`);
      listener.close();
    });

    it("says that an address is not of this machine", async () => {
      const opened = await listen({ tier, host: "192.0.2.1", port: 0, onConn: () => undefined });
      assert.ok(!opened.ok);
      assert.equal(opened.error.kind.code, "RS5003");
    });

    it("closes connections above the limit at once", async () => {
      const opened = await listen({ tier, maxConnections: 1, onConn: (conn) => (conn.handler = new Recorder()) });
      assert.ok(opened.ok);
      const first = await dialed({ port: opened.value.port });
      assert.ok("write" in first);
      const second = await dialed({ port: opened.value.port });
      if ("write" in second) {
        const recorder = new Recorder();
        second.handler = recorder;
        await recorder.until(() => recorder.ends + recorder.closes.length > 0);
        second.destroy();
      }
      assert.equal(opened.value.connections, 1);
      first.destroy();
      opened.value.close();
    });

    it("sets the mode of a Unix socket, and does not listen when it cannot", async () => {
      const folder = mkdtempSync(join(tmpdir(), "ripstop-net-"));
      const path = join(folder, "s.sock");
      const opened = await listen({ tier, path, mode: 0o600, onConn: () => undefined });
      assert.ok(opened.ok);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      opened.value.close();
      const other = join(folder, "other.sock");
      const refused = await listen({ tier, path: other, mode: -1, onConn: () => assert.fail("accepted") });
      assert.ok(!refused.ok);
      assert.equal(refused.error.kind.code, "RS5004");
      assert.match(refused.error.message, /cannot set who may use .*other\.sock/);
      assert.ok("code" in (await dialed({ path: other })), "nobody listens there");
      rmSync(folder, { recursive: true });
    });

    it("listens on Unix sockets, replaces a dead one and respects a live one", async () => {
      const folder = mkdtempSync(join(tmpdir(), "ripstop-net-"));
      const path = join(folder, "s.sock");
      const live = await mustListen(tier, (conn) => (conn.handler = new Recorder()), path);
      const second = await listen({ tier, path, onConn: () => undefined });
      assert.ok(!second.ok);
      assert.equal(second.error.kind.code, "RS5001");
      const outcome = await dialed({ path });
      assert.ok("write" in outcome);
      assert.equal(outcome.remoteAddress, "");
      outcome.destroy();
      live.close();
      rmSync(folder, { recursive: true });
    });

    it("does not replace a file that is no socket", async () => {
      const folder = mkdtempSync(join(tmpdir(), "ripstop-net-"));
      const path = join(folder, "precious");
      writeFileSync(path, "data");
      const opened = await listen({ tier, path, onConn: () => undefined });
      assert.ok(!opened.ok);
      rmSync(folder, { recursive: true });
    });
  });
}

import { createLogger } from "@ripstop/telemetry";
import { PatientClock } from "@ripstop/testkit";
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { Conn, ConnHandler } from "./conn.ts";
import { onreadTier } from "./tiers/onread-tier.ts";
import { publicTier } from "./tiers/public-tier.ts";
import { rawTier } from "./tiers/raw-tier.ts";
import { selfTest } from "./tiers/self-test.ts";
import type { Tier } from "./tiers/tier.ts";
import { currentTier, useTier } from "./current-tier.ts";
import { selectTier } from "./select-tier.ts";

const clock = new PatientClock();

function recordingLogger() {
  const lines: string[] = [];
  return { lines, logger: createLogger({ clock, level: "debug", write: (line) => lines.push(line) }) };
}

/** A tier whose connections are wrapped on both sides. */
function broken(wrap: (conn: Conn) => Conn): Tier {
  return {
    name: "raw",
    attach: (server, acceptor) =>
      publicTier.attach(server, {
        admit: () => acceptor.admit(),
        onConn: (conn) => acceptor.onConn(conn),
        onGone: () => acceptor.onGone(),
      }),
    connect: (target, events) =>
      publicTier.connect(target, {
        onConnected: (conn) => events.onConnected(wrap(conn)),
        onFailed: (cause) => events.onFailed(cause),
      }),
  };
}

/** Delegates to `conn`, with `write` replaced. */
function withWrite(conn: Conn, write: Conn["write"]): Conn {
  return {
    get handler(): ConnHandler | undefined {
      return conn.handler;
    },
    set handler(handler) {
      conn.handler = handler;
    },
    write,
    get queuedBytes() {
      return conn.queuedBytes;
    },
    pause: () => conn.pause(),
    resume: () => conn.resume(),
    end: () => conn.end(),
    destroy: (reset) => conn.destroy(reset),
    remoteAddress: "",
    remotePort: 0,
    localAddress: "",
    localPort: 0,
    tls: undefined,
  };
}

describe("the choice of the transport", () => {
  afterEach(() => useTier(publicTier));

  for (const tier of [rawTier, onreadTier, publicTier]) {
    it(`finds that ${tier.name} works here`, async () => {
      assert.equal(await selfTest(tier, clock), undefined);
    });
  }

  it("takes the fastest by itself and the requested one when asked", async () => {
    const { logger } = recordingLogger();
    assert.equal((await selectTier({ clock, logger })).name, "raw");
    assert.equal(currentTier().name, "raw");
    for (const requested of ["raw", "onread", "public"]) {
      assert.equal((await selectTier({ clock, logger, requested })).name, requested);
      assert.equal(currentTier().name, requested);
    }
  });

  it("finds memory that is still read after write returned, and falls back with the reason", async () => {
    const { logger, lines } = recordingLogger();
    const late = broken((conn) =>
      withWrite(conn, (buf, start, end) => {
        // What a careless raw tier does: the bytes are read later than `write` returns.
        setImmediate(() => conn.write(buf, start, end));
        return false;
      }),
    );
    assert.equal((await selectTier({ clock, logger, tiers: [late, publicTier] })).name, "public");
    assert.match(lines.join(""), /"level":"warn".*"reason":/);
  });

  it("falls back when the bindings are missing", async () => {
    const { logger, lines } = recordingLogger();
    const missing: Tier = {
      name: "raw",
      attach() {
        throw new Error("process.binding is missing");
      },
      connect: publicTier.connect,
    };
    assert.equal((await selectTier({ clock, logger, tiers: [missing, publicTier] })).name, "public");
    assert.match(lines.join(""), /process.binding is missing/);
  });

  it("says so when asked for a tier that does not exist", async () => {
    const { logger, lines } = recordingLogger();
    assert.equal((await selectTier({ clock, logger, requested: "warp" })).name, "raw");
    assert.match(lines.join(""), /none of raw, onread, public/);
  });
});

// A tunnel of which one side has ended, on a stopped clock and made-up streams.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RequestHead, ResponseHead, type ClientStream, type ServerStream } from "@ripstop/http";
import { TimerWheel } from "@ripstop/net";
import { StoppedClock } from "@ripstop/testkit";
import { HeadPool, type Engine } from "../engine.ts";
import { HALF_CLOSED_IDLE_MS } from "../settings.ts";
import type { Attempt } from "./attempt.ts";
import { HttpExchange } from "./http-exchange.ts";
import type { HttpPool } from "./http-pool.ts";

const ignore = (): void => undefined;
const takes = { sendBody: () => true, sendEnd: ignore, consumed: ignore };

class PlainExchange extends HttpExchange {
  recorded = 0;

  begin(): Attempt {
    return this.startAttempt({} as unknown as HttpPool);
  }

  protected override editResponse(): void {}
  protected override retryResponse(): boolean {
    return false;
  }
  protected override attemptFailed(): void {}
  protected override attemptDone(): void {}
  protected override record(): void {
    this.recorded++;
  }
}

/** A WebSocket that was accepted. */
function tunnel(): {
  exchange: PlainExchange;
  attempt: Attempt;
  clock: StoppedClock;
  engine: Engine;
  resets: string[];
} {
  const clock = new StoppedClock();
  const wheel = new TimerWheel({ clock });
  const engine = {
    clock,
    wheel,
    heads: new HeadPool(),
    live: { exchanges: 0, tunnels: 0, mirrors: 0 },
  } as unknown as Engine;
  const resets: string[] = [];
  const client = { ...takes, sendResponse: ignore, reset: () => resets.push("client") } as unknown as ServerStream;
  const upstream = { ...takes, sendRequest: ignore, reset: () => resets.push("upstream") } as unknown as ClientStream;
  const request = new RequestHead();
  request.protocol = "websocket";
  const exchange = new PlainExchange(engine, client, request, false);
  const attempt = exchange.begin();
  attempt.onStream(upstream, { tlsVersion: "" }, false);
  const response = new ResponseHead();
  response.protocol = "websocket";
  attempt.onResponse(response, false);
  return { exchange, attempt, clock, engine, resets };
}

const LATE = HALF_CLOSED_IDLE_MS + 1_000;
const bytes = Buffer.from("x");

describe("a tunnel of which one side has ended", () => {
  for (const [side, end] of [
    ["client", ({ exchange }: ReturnType<typeof tunnel>) => exchange.onEnd()],
    ["upstream", ({ attempt }: ReturnType<typeof tunnel>) => attempt.onEnd()],
  ] as const) {
    it(`is cut in both directions when nothing passes any more after the ${side}'s end`, () => {
      const parts = tunnel();
      end(parts);
      parts.clock.advance(HALF_CLOSED_IDLE_MS - 1_000);
      assert.deepEqual(parts.resets, []);
      parts.clock.advance(2_000);
      assert.deepEqual(
        parts.resets.toSorted((a, b) => (a < b ? -1 : 1)),
        ["client", "upstream"],
      );
      assert.equal(parts.engine.live.exchanges, 0);
      assert.equal(parts.exchange.recorded, 1);
    });
  }

  it("lives as long as bytes pass in the other direction", () => {
    const { exchange, attempt, clock, engine, resets } = tunnel();
    exchange.onEnd();
    for (let round = 0; round < 4; round++) {
      attempt.onBody(bytes, 0, 1);
      clock.advance(LATE);
      assert.equal(engine.live.exchanges, 1);
    }
    attempt.onEnd();
    assert.equal(engine.live.exchanges, 0);
    assert.equal(engine.wheel.size, 0);
    assert.deepEqual(resets, []);
  });

  it("is left alone while both sides are open", () => {
    const { clock, engine, resets } = tunnel();
    clock.advance(10 * LATE);
    assert.equal(engine.live.exchanges, 1);
    assert.deepEqual(resets, []);
  });
});

// What becomes of an upstream's stream when its exchange gives it up.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamErrorCode, type ClientStream } from "@ripstop/http";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import type { HttpPool } from "./http-pool.ts";

const ignore = (): void => undefined;
const owner: AttemptOwner = {
  attemptOpened: ignore,
  attemptNotOpened: ignore,
  attemptInformational: ignore,
  attemptResponse: ignore,
  attemptBody: ignore,
  attemptTrailers: ignore,
  attemptEnd: ignore,
  attemptWritable: ignore,
  attemptReset: ignore,
};

function opened(): { readonly attempt: Attempt; readonly resets: number[]; readonly cancelled: () => number } {
  const resets: number[] = [];
  let cancelled = 0;
  const pool = { cancel: () => cancelled++ } as unknown as HttpPool;
  const stream = { reset: (code: number) => resets.push(code), consumed: ignore } as unknown as ClientStream;
  const attempt = new Attempt(owner, pool, 0);
  attempt.onStream(stream, { tlsVersion: "" }, false);
  return { attempt, resets, cancelled: () => cancelled };
}

describe("an attempt that is given up", () => {
  it("resets its stream when only the upstream's half has ended: nobody would end the other", () => {
    const { attempt, resets } = opened();
    attempt.onEnd();
    attempt.abandon(StreamErrorCode.CANCEL, false);
    assert.deepEqual(resets, [StreamErrorCode.CANCEL]);
  });

  it("leaves a stream alone that has ended in both directions: its connection serves on", () => {
    const { attempt, resets, cancelled } = opened();
    attempt.onEnd();
    attempt.abandon(StreamErrorCode.CANCEL, true);
    assert.deepEqual(resets, []);
    assert.equal(cancelled(), 0);
  });

  it("resets a stream whose response is still to come, although the request has ended", () => {
    const { attempt, resets } = opened();
    attempt.abandon(StreamErrorCode.CANCEL, true);
    assert.deepEqual(resets, [StreamErrorCode.CANCEL]);
  });
});

// API tokens that several replicas share by their table.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { MemoryStore } from "../../store/memory-store.ts";
import { AccessTokens, type AccessTokenRecord } from "./access-tokens.ts";

describe("API tokens", () => {
  it("that one replica makes are known to the other, and are useless there once they are revoked", async () => {
    const clock = new StoppedClock();
    const table = new MemoryStore({ clock }).table<AccessTokenRecord>("access-tokens");
    const [one, other] = [new AccessTokens({ clock, table }), new AccessTokens({ clock, table })];
    const made = await one.create({ name: "ci", role: "viewer", ttlMs: 60_000 }, "admin");
    assert.ok(made.ok);
    assert.equal(other.find(made.value.token)?.id, made.value.id);
    assert.ok((await one.revoke(made.value.id)).ok);
    assert.equal(other.find(made.value.token), undefined);
    assert.deepEqual(other.grantsOf(made.value.id), []);
  });
});

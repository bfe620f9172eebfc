// When proxies are told where the control planes are.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { ReplicaAddresses } from "@ripstop/model";

import { ControlPlaneList } from "./control-plane-list.ts";

describe("the list of control planes", () => {
  it("is told when it is another one, and kept as it was while the store does not answer", () => {
    let now: ReplicaAddresses = { streams: ["a:1"], joins: ["a:2"] };
    let isCutOff = false;
    const told: (readonly string[] | undefined)[] = [];
    const list: ControlPlaneList = new ControlPlaneList({
      addresses: () => now,
      isCutOff: () => isCutOff,
      onChange: () => told.push(list.command.controlPlanes?.streams),
    });
    assert.deepEqual(list.command, {});
    list.look();
    now = { streams: ["b:1", "a:1"], joins: ["b:2", "a:2"] };
    list.look();
    now = { streams: ["a:1", "b:1"], joins: ["a:2", "b:2"] };
    list.look();
    assert.deepEqual(told, [["a:1"], ["b:1", "a:1"]]);
    isCutOff = true;
    now = { streams: ["a:1"], joins: ["a:2"] };
    list.look();
    assert.deepEqual(list.command.controlPlanes?.streams, ["b:1", "a:1"]);
    isCutOff = false;
    list.look();
    assert.deepEqual(told.at(-1), ["a:1"]);
  });
});

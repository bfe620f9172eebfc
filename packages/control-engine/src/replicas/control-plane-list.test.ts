// When proxies are told where the control planes are.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ControlPlaneList } from "./control-plane-list.ts";

describe("the list of control planes", () => {
  it("is told when it is another one, and kept as it was while the store does not answer", () => {
    const told: (readonly string[] | undefined)[] = [];
    const list: ControlPlaneList = new ControlPlaneList(() => told.push(list.command.controlPlanes?.streams));
    assert.deepEqual(list.command, {});
    list.look({ streams: ["a:1"], joins: ["a:2"] }, 0);
    list.look({ streams: ["b:1", "a:1"], joins: ["b:2", "a:2"] }, 0);
    list.look({ streams: ["a:1", "b:1"], joins: ["a:2", "b:2"] }, 0);
    assert.deepEqual(told, [["a:1"], ["b:1", "a:1"]]);
    list.look({ streams: ["a:1"], joins: ["a:2"] }, 1);
    assert.deepEqual(list.command.controlPlanes?.streams, ["b:1", "a:1"]);
    list.look({ streams: ["a:1"], joins: ["a:2"] }, 0);
    assert.deepEqual(told.at(-1), ["a:1"]);
  });
});

// What the proxy does with what the control plane says.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { telemetry } from "@ripstop/model";

import { ControlCommands } from "./control-commands.ts";

type Command = telemetry.ProxyCommand;

describe("commands of the control plane", () => {
  it("are kept for an engine that is still being started, and say where to connect at once", () => {
    let addresses: readonly string[] = [];
    const listener: { onCommand: ((command: Command) => void) | undefined } = { onCommand: undefined };
    const commands = new ControlCommands({
      telemetry: listener,
      setControlAddresses: (list) => {
        addresses = list;
      },
    });
    const first: Command = { taps: [], controlPlanes: { streams: ["a:1", "b:1"], joins: ["a:2", "b:2"] } };
    const empty: Command = { taps: [], controlPlanes: { streams: [], joins: [] } };
    for (const command of [first, empty]) listener.onCommand?.(command);
    assert.deepEqual(addresses, ["a:1", "b:1"], "no address at all would leave it alone");
    const taken: Command[] = [];
    commands.passTo({ onCommand: (command) => taken.push(command) });
    const later: Command = { taps: [] };
    listener.onCommand?.(later);
    assert.deepEqual(taken, [first, empty, later]);
  });
});

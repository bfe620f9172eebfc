// What the control plane says to the proxy on the telemetry stream: where the control planes are, for its connection and
// for its supervisor, and all else for the proxy engine.

import type { DiscoveryClient } from "@ripstop/discovery/client";
import type { telemetry } from "@ripstop/model";
import { tell } from "./supervisor-channel.ts";

/** Takes the commands that come. */
interface CommandTaker {
  onCommand(command: telemetry.ProxyCommand): void;
}

/** Addresses that are taken at most. */
const MAX_ADDRESSES = 16;
/** Commands kept for an engine that is still being started. */
const MAX_EARLY = 64;

/** Hears from its making on: the stream is open before the engine is there. */
export class ControlCommands {
  #early: telemetry.ProxyCommand[] = [];
  #taker: CommandTaker | undefined;

  constructor(
    client: Pick<DiscoveryClient, "setControlAddresses"> & {
      readonly telemetry: Pick<DiscoveryClient["telemetry"], "onCommand">;
    },
  ) {
    client.telemetry.onCommand = (command) => {
      const { controlPlanes } = command;
      if (controlPlanes !== undefined && controlPlanes.streams.length > 0) {
        const streams = controlPlanes.streams.slice(0, MAX_ADDRESSES);
        client.setControlAddresses(streams);
        tell({ type: "control-planes", streams, joins: controlPlanes.joins.slice(0, MAX_ADDRESSES) });
      }
      if (this.#taker !== undefined) this.#taker.onCommand(command);
      else if (this.#early.length < MAX_EARLY) this.#early.push(command);
    };
  }

  /** Passes commands on from now, those that came before first. */
  passTo(taker: CommandTaker): void {
    this.#taker = taker;
    for (const command of this.#early) taker.onCommand(command);
    this.#early = [];
  }
}

// The control plane in one piece: starts its parts one after the other, and ends them from the last to the first.

import { err, ok, RipstopError, type Result } from "@ripstop/core";

import type { Control, ControlOptions } from "./control-options.ts";
import type { Failure } from "./failure.ts";
import { removeControlFile, writeControlFile, writeMemory } from "./home/home-files.ts";
import { lockHome } from "./home/home-lock.ts";
import { openGround, type Undo } from "./start/ground.ts";
import { startApi } from "./start/start-api.ts";
import { startEntrances } from "./start/start-entrances.ts";
import { startIdentity } from "./start/start-identity.ts";
import { startModel } from "./start/start-model.ts";
import { startRotation } from "./start/start-rotation.ts";
import { startStream } from "./start/start-stream.ts";

/** Starts a control plane on a home; fails with a Failure that says why and what to do. */
export async function startControl(options: ControlOptions): Promise<Result<Control, Failure>> {
  const lock = lockHome(options.home);
  if (!lock.ok) return lock;
  // Undone from the last to the first, at the end or when a later step fails.
  const undo: Undo = [() => lock.value.release()];
  const close = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const started = await assemble(options, undo);
    if (!started.ok) {
      await close();
      return started;
    }
    return ok({ ...started.value, close });
  } catch (error) {
    await close();
    if (error instanceof RipstopError) return err({ kind: error.kind, message: error.message });
    throw error;
  }
}

async function assemble(options: ControlOptions, undo: Undo): Promise<Result<Omit<Control, "close">, Failure>> {
  const opened = await openGround(options, undo);
  if (!opened.ok) return opened;
  const ground = opened.value;
  const identity = await startIdentity(ground);
  if (!identity.ok) return identity;
  const model = startModel(ground, identity.value);
  const stream = await startStream(ground, identity.value, model);
  if (!stream.ok) return stream;
  const rotation = startRotation(ground, identity.value, { ...model, ...stream.value });
  const inside = { ...model, ...stream.value, ...rotation };
  const entrances = await startEntrances(ground, identity.value, inside);
  if (!entrances.ok) return entrances;
  const parts = { ...identity.value, ...inside, ...entrances.value };
  const api = await startApi(ground, parts);
  if (!api.ok) return api;

  const { home, logger } = options;
  const { trustDomain, notices, store } = ground;
  const { discovery, joining } = parts;
  const { routes, apiSocket, apiAddress, dashboardUrl, dashboardPort, bundleEndpointUrl } = api.value;
  const streamAddress = discovery.address;
  const joinAddress = joining.address;
  writeMemory(home, { trustDomain, streamPort: discovery.port, dashboardPort, joinPort: joining.port });
  writeControlFile(home, { pid: process.pid, apiSocket, streamAddress, joinAddress, dashboardUrl, trustDomain });
  undo.push(() => removeControlFile(home));
  logger?.info("control plane started", {
    home,
    trustDomain,
    streamAddress,
    joinAddress,
    dashboardUrl,
    revision: store.revision,
  });
  return ok({
    apiSocket,
    streamAddress,
    joinAddress,
    apiAddress,
    dashboardUrl,
    trustDomain,
    routes,
    bundleEndpointUrl,
    notices,
  });
}

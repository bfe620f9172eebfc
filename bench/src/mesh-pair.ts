// Two proxies of one kind as a mesh hop: application → OUT proxy → mutual TLS → IN proxy → application.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createMeshIdentities, type MeshIdentities } from "./peers/mesh-identities.ts";
import type { Peer } from "./peers/peer.ts";
import { freePort, startServer, type RunningServer } from "./processes.ts";

/** A running hop: `pids` are those of both proxies. */
export interface RunningPair extends RunningServer {
  /** Where the OUT proxy takes plain HTTP/1.1. */
  readonly listen: number;
  readonly outboundPids: readonly number[];
  readonly inboundPids: readonly number[];
}

/** A running IN proxy. */
export interface RunningInbound extends RunningServer {
  readonly listen: number;
  readonly mesh: MeshIdentities;
}

/** Starts the IN proxy of `peer` before `application`. */
export async function startInbound(peer: Peer, folder: string, application: number): Promise<RunningInbound> {
  const mesh = await createMeshIdentities(folder);
  const own = join(folder, "in");
  mkdirSync(own);
  const listen = await freePort();
  const server = await startServer(await peer.inbound({ listen, application, folder: own, mesh }), listen);
  return { ...server, listen, mesh };
}

/** Starts both proxies of `peer`. */
export async function startPair(peer: Peer, folder: string, application: number): Promise<RunningPair> {
  const inbound = await startInbound(peer, folder, application);
  try {
    const own = join(folder, "out");
    mkdirSync(own);
    const listen = await freePort();
    const outbound = await startServer(
      await peer.outbound({ listen, inbound: inbound.listen, folder: own, mesh: inbound.mesh }),
      listen,
    );
    return {
      listen,
      pids: [...outbound.pids, ...inbound.pids],
      outboundPids: outbound.pids,
      inboundPids: inbound.pids,
      stop: async () => void (await Promise.all([outbound.stop(), inbound.stop()])),
    };
  } catch (error) {
    await inbound.stop();
    throw error;
  }
}

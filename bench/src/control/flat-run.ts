// Whether the size of the mesh costs those who do not use it: the same proxies on the same few services, in meshes of
// different sizes. Counts the CPU of one endpoint change, and the bytes and memory of a proxy that uses five services.

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause } from "../processes.ts";
import { ControlPlane } from "./control-plane.ts";
import { EndpointChanges } from "./endpoint-changes.ts";
import type { MeshShape } from "./mesh-shape.ts";
import { ProxyFleet } from "./proxy-fleet.ts";
import { seedHome } from "./seed-home.ts";

/** One size. */
export interface FlatRow {
  readonly services: number;
  readonly cpuMsPerChange: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** One size, for a proxy alone in its process. */
export interface LoneProxy {
  readonly services: number;
  /** Bytes that the control plane sent to it, TLS included. */
  readonly bytes: number;
  readonly residentBytes: number;
}

const PROXIES = 40;
const POOL = 10;
const CONNECT_LIMIT_MS = 120_000;

/** Builds a mesh, does something with it, and takes it down. */
async function withMesh<T>(shape: MeshShape, work: (plane: ControlPlane, fleet: ProxyFleet) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), "ripstop-bench-control-"));
  const plane = new ControlPlane(home);
  const fleet = new ProxyFleet(shape, 1);
  try {
    await seedHome(home, shape);
    await plane.start();
    return await work(plane, fleet);
  } finally {
    await fleet.stop();
    await plane.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

/** The cost of one endpoint change with `services` services, the subscribers being the same. */
export function flatRow(services: number, changes: number): Promise<FlatRow> {
  const shape: MeshShape = { services, endpoints: 10, proxies: PROXIES, uses: 5, pool: POOL };
  return withMesh(shape, async (plane, fleet) => {
    await fleet.connect(await plane.proxyIdentity(), CONNECT_LIMIT_MS);
    const endpointChanges = new EndpointChanges(plane, fleet, shape);
    const pool = endpointChanges.services;
    // The first ones warm the compiler of the engine up.
    await endpointChanges.run(pool, changes / 2, 100);
    const { cpuMsPerChange, p50Ms, p99Ms } = await endpointChanges.run(pool, changes, 100);
    return { services, cpuMsPerChange, p50Ms, p99Ms };
  });
}

/** Bytes and memory of one proxy that uses five services. */
export function loneProxy(services: number): Promise<LoneProxy> {
  const shape: MeshShape = { services, endpoints: 10, proxies: 1, uses: 5, pool: POOL };
  return withMesh(shape, async (plane, fleet) => {
    const files = await plane.proxyIdentity();
    const relay = await startRelay(files.address);
    try {
      await fleet.connect({ ...files, address: relay.address }, CONNECT_LIMIT_MS);
      await pause(500);
      return { services, bytes: relay.bytes(), residentBytes: (await fleet.state()).residentBytes };
    } finally {
      relay.close();
    }
  });
}

/** A TCP relay that counts what comes from the control plane. */
function startRelay(to: string): Promise<{ readonly address: string; bytes(): number; close(): void }> {
  const [host = "", port = ""] = to.split(":");
  let received = 0;
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    far.on("data", (chunk) => (received += chunk.length));
    near.on("error", () => far.destroy());
    far.on("error", () => near.destroy());
    near.pipe(far).pipe(near);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      resolve({ address, bytes: () => received, close: () => server.close() });
    });
  });
}

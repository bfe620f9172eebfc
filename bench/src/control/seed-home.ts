// Fills a mesh home with the workloads of a shape, by the registry and the store of the product, before a control plane
// starts on it: registering 100 000 of them over the API would take longer than all the measurements.

import { systemClock } from "@ripstop/core";
import { openStore, Registry, type RegisteredWorkload } from "@ripstop/control-engine/internals";
import {
  addressOf,
  HOSTILE_CLIENTS,
  hostileId,
  namespaceOf,
  PROXY_NAMESPACE,
  proxyId,
  serviceName,
  workloadId,
  type MeshShape,
} from "./mesh-shape.ts";

const BATCH = 2_000;

/** Registers every workload of the shape and its proxies. */
export async function seedHome(home: string, shape: MeshShape): Promise<void> {
  const store = await openStore({ home, clock: systemClock, etcd: undefined });
  const registry = new Registry({
    clock: systemClock,
    table: store.table<RegisteredWorkload>("workloads"),
    trustDomain: "mesh.local",
    leaseMs: 3_600_000,
    maxWorkloads: 1_000_000,
    isProcessAlive: () => true,
  });
  let pending: Promise<unknown>[] = [];
  const settle = async (): Promise<void> => {
    await Promise.all(pending);
    pending = [];
  };
  for (const workload of workloads(shape)) {
    pending.push(registerOne(registry, workload));
    if (pending.length >= BATCH) await settle();
  }
  await settle();
  registry.close();
  await store.close();
}

interface Seed {
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  readonly listens: boolean;
}

function* workloads({ services, endpoints, proxies }: MeshShape): Iterable<Seed> {
  for (let service = 0; service < services; service++) {
    const namespace = namespaceOf(service);
    const name = serviceName(service).slice(namespace.length + 1);
    for (let endpoint = 0; endpoint < endpoints; endpoint++)
      yield { id: workloadId(service, endpoint), namespace, service: name, listens: true };
  }
  const ids = [
    ...Array.from({ length: proxies }, (_, proxy) => proxyId(proxy)),
    ...Array.from({ length: HOSTILE_CLIENTS }, (_, client) => hostileId(client)),
  ];
  for (const id of ids) yield { id, namespace: PROXY_NAMESPACE, service: PROXY_NAMESPACE, listens: false };
}

async function registerOne(registry: Registry, { id, namespace, service, listens }: Seed): Promise<void> {
  const port = { port: 8080, servicePort: 80, protocol: "http", applicationAddress: "127.0.0.1:8080" } as const;
  const request = {
    service,
    namespace,
    instance: id.slice(namespace.length + 1),
    labels: { version: "v1" },
    ports: listens ? [port] : [],
    csrPem: "",
    pid: 0,
  };
  const named = registry.name(request);
  if (!named.ok) throw new Error(named.error.message);
  const kept = registry.register(request, { ...named.value, svidNotAfterMs: systemClock.nowMs() + 3_600_000 });
  if (listens) await registry.heartbeat(id, { inboundAddress: addressOf(0), ready: true });
  await kept;
}

// The mesh that the control plane's benchmark builds: which services there are and which proxy uses which. Every process
// of the benchmark derives the same mesh from the same shape.

/** How big the mesh is. */
export interface MeshShape {
  readonly services: number;
  readonly endpoints: number;
  readonly proxies: number;
  /** Services that each proxy uses; the first is the same for all, the others are drawn evenly from `pool`. */
  readonly uses: number;
  /** Services that proxies use at all, at most `services`: the first ones. */
  readonly pool: number;
}

const SERVICES_PER_NAMESPACE = 100;

/** Namespace of the simulated proxies, and their service account. */
export const PROXY_NAMESPACE = "sim";

/** The service that every proxy uses. */
export const HOT_SERVICE = 0;

/** Namespace of a service. */
export function namespaceOf(service: number): string {
  return `n${Math.floor(service / SERVICES_PER_NAMESPACE)}`;
}

/** "NAMESPACE/NAME" of a service. */
export function serviceName(service: number): string {
  return `${namespaceOf(service)}/s${service}`;
}

/** Id of one workload of a service. */
export function workloadId(service: number, endpoint: number): string {
  return `${serviceName(service)}-${endpoint}`;
}

/** Id of a simulated proxy. */
export function proxyId(proxy: number): string {
  return `${PROXY_NAMESPACE}/p${proxy}`;
}

/** Id of a client that means no good; there are `HOSTILE_CLIENTS`. */
export function hostileId(client: number): string {
  return `${PROXY_NAMESPACE}/h${client}`;
}

/** Clients that mean no good. */
export const HOSTILE_CLIENTS = 2;

/** The services that a proxy uses, each once. */
export function servicesOf(proxy: number, { uses, pool }: MeshShape): readonly number[] {
  const found = new Set<number>([HOT_SERVICE]);
  let state = proxy + 1;
  while (found.size < Math.min(uses, pool)) {
    // A multiplicative generator (Park and Miller): spread well enough to draw services.
    state = (state * 48_271) % 2_147_483_647;
    found.add(state % pool);
  }
  return [...found];
}

/** The inbound address that carries a change's number: as 10.A.B.C:PORT. */
export function addressOf(sequence: number): string {
  return `10.${(sequence >> 24) & 255}.${(sequence >> 16) & 255}.${(sequence >> 8) & 255}:${1024 + (sequence & 255)}`;
}

/** The change's number in an address. */
export function sequenceOf(address: string): number {
  const [, a = 0, b = 0, c = 0, port = 1024] = address.split(/[.:]/).map(Number);
  return a * 2 ** 24 + b * 65_536 + c * 256 + (port - 1024);
}

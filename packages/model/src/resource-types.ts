// The resource types of the config stream: type URL, message codec, and the resource's name in it.

import {
  Endpoints,
  Gateway,
  GatewayRoute,
  GatewayRoutes,
  HostBinding,
  Policy,
  Routes,
  Service,
  Telemetry,
  TrustBundle,
  Workload,
} from "./generated/ripstop/model/v1/model.ts";

/** How one resource type travels. */
export interface ResourceType<T> {
  /** Short name, as in logs and counters. */
  readonly name: string;
  readonly typeUrl: string;
  encode(resource: T): Uint8Array;
  /** Throws on malformed bytes. Unknown fields are ignored. */
  decode(bytes: Uint8Array): T;
}

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

function define<T>(name: string, codec: Codec<T>): ResourceType<T> {
  return {
    name,
    typeUrl: `type.googleapis.com/ripstop.model.v1.${name}`,
    encode: (resource) => codec.encode(resource).finish(),
    decode: (bytes) => codec.decode(bytes),
  };
}

export const workloadType: ResourceType<Workload> = define("Workload", Workload);
export const policyType: ResourceType<Policy> = define("Policy", Policy);
export const hostBindingType: ResourceType<HostBinding> = define("HostBinding", HostBinding);
export const serviceType: ResourceType<Service> = define("Service", Service);
export const endpointsType: ResourceType<Endpoints> = define("Endpoints", Endpoints);
export const routesType: ResourceType<Routes> = define("Routes", Routes);
export const gatewayType: ResourceType<Gateway> = define("Gateway", Gateway);
export const gatewayRoutesType: ResourceType<GatewayRoutes> = define("GatewayRoutes", GatewayRoutes);
export const gatewayRouteType: ResourceType<GatewayRoute> = define("GatewayRoute", GatewayRoute);
export const trustBundleType: ResourceType<TrustBundle> = define("TrustBundle", TrustBundle);
export const telemetryType: ResourceType<Telemetry> = define("Telemetry", Telemetry);

/** Every type, in the order in which a proxy needs them. */
export const resourceTypes: readonly ResourceType<unknown>[] = [
  trustBundleType,
  workloadType,
  policyType,
  hostBindingType,
  serviceType,
  endpointsType,
  routesType,
  gatewayRouteType,
  gatewayRoutesType,
  gatewayType,
  telemetryType,
] as readonly ResourceType<unknown>[];

/** "NAMESPACE/NAME@CLIENT-NAMESPACE", the name of a Routes resource. */
export function routesName(service: string, clientNamespace: string): string {
  return `${service}@${clientNamespace}`;
}

/** "CLIENT-NAMESPACE~HOST", the name of a HostBinding. */
export function hostBindingName(clientNamespace: string, host: string): string {
  return `${clientNamespace}~${host}`;
}

/** Name of the HostBinding that says what `host` is to the Gateway `gateway` ("NAMESPACE/NAME") when callers of a namespace ask it. */
export function egressBindingName(clientNamespace: string, host: string, gateway: string): string {
  return `${clientNamespace}~${host}~${gateway}`;
}

/** Parts of the name of a HostBinding; undefined when it is none. `gateway` is "" for what callers themselves ask. */
export function parseBindingName(
  name: string,
): { readonly clientNamespace: string; readonly host: string; readonly gateway: string } | undefined {
  const [clientNamespace = "", host = "", gateway = "", ...more] = name.split("~");
  return more.length > 0 ? undefined : { clientNamespace, host, gateway };
}

const THROUGH = "|";

/** Name of the service that a host outside the mesh is to those who reach it through the Gateway `gateway`; "" for none. */
export function throughGateway(service: string, gateway: string): string {
  return gateway === "" ? service : `${service}${THROUGH}${gateway}`;
}

/** The service, and the Gateway that it is reached through ("" for none). */
export function splitThrough(name: string): { readonly service: string; readonly gateway: string } {
  const at = name.indexOf(THROUGH);
  return at < 0 ? { service: name, gateway: "" } : { service: name.slice(0, at), gateway: name.slice(at + 1) };
}

/** "GATEWAY-NAMESPACE/GATEWAY/KIND/NAMESPACE/NAME", the name of a GatewayRoute; `gateway` and `route` are "NAMESPACE/NAME". */
export function gatewayRouteName(gateway: string, kind: string, route: string): string {
  return `${gateway}/${kind}/${route}`;
}

/** "NAMESPACE/NAME" of the gateway that a GatewayRoute is for. */
export function gatewayOfRoute(name: string): string {
  return name.split("/", 2).join("/");
}

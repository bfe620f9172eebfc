// Instances that stand in EndpointSlices: outside the mesh, reached in plain bytes, or in TLS by a Gateway whose
// BackendTLSPolicy says so.

import { Endpoint_Reach, Protocol, type Endpoint } from "@ripstop/model";
import type { EndpointSliceSpec, Resource, SlicePortSpec } from "@ripstop/resources";

import { protocolOfAppProtocol } from "./protocols.ts";
import type { ServicePortView, ServiceView } from "./service-view.ts";

/** The instances of a Service by its slices. One address with several first ports is several instances. */
export function sliceEndpoints(
  service: ServiceView,
  slices: readonly Resource<EndpointSliceSpec>[],
): readonly Endpoint[] {
  const byId = new Map<string, Endpoint>();
  for (const { spec } of slices) {
    const targetPorts = targetPortsOf(service, spec);
    const [first] = Object.values(targetPorts);
    if (first === undefined) continue;
    for (const { addresses, conditions, zone = "" } of spec.endpoints) {
      for (const address of addresses) {
        const id = spec.addressType === "IPv6" ? `[${address}]:${first}` : `${address.toLowerCase()}:${first}`;
        const known = byId.get(id);
        const healthy = conditions?.ready ?? true;
        byId.set(id, {
          id,
          reach: Endpoint_Reach.PLAIN,
          address: id,
          spiffeId: "",
          weight: 1,
          // As long as one slice says so: several controllers may write of one instance.
          healthy: healthy || known?.healthy === true,
          locality: zone === "" ? known?.locality : { region: "", zone },
          targetPorts: { ...known?.targetPorts, ...targetPorts },
          version: "",
        });
      }
    }
  }
  return [...byId.values()];
}

/** What the slices declare for a port of the Service, when all that declare something agree. */
export function sliceProtocol(port: ServicePortView, slices: readonly Resource<EndpointSliceSpec>[]): Protocol {
  const declared = new Set(
    slices.flatMap(({ spec }) => spec.ports.filter((one) => isFor(one, port)).map(({ appProtocol }) => appProtocol)),
  );
  const protocols = new Set([...declared].map(protocolOfAppProtocol));
  protocols.delete(Protocol.UNSPECIFIED);
  const [only = Protocol.UNSPECIFIED] = protocols;
  return protocols.size === 1 ? only : Protocol.UNSPECIFIED;
}

function targetPortsOf(service: ServiceView, { ports }: EndpointSliceSpec): Record<number, number> {
  const targets: Record<number, number> = {};
  for (const port of service.ports) {
    const found = ports.find((one) => isFor(one, port));
    if (found !== undefined) targets[port.port] = found.port;
  }
  return targets;
}

function isFor({ name, protocol }: SlicePortSpec, port: ServicePortView): boolean {
  return protocol === "TCP" && name === port.name;
}

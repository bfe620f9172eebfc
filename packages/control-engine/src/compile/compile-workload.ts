// Workload and Policy of the data-plane model.

import type { PolicyKind } from "@ripstop/policy-api/control";
import { EgressMode, ProxyProtocol, type Policy, type Workload } from "@ripstop/model";

import { RESERVED_NAMESPACE } from "@ripstop/resources";

import { serviceOf } from "../registry/registered-workload.ts";
import { EGRESS_GATEWAY_LABEL, NO_GATEWAY } from "./egress-gateways.ts";
import { localityOf } from "./locality.ts";
import { protocolOfRegistration } from "./protocols.ts";
import type { WorldView } from "./world-view.ts";

const PROXY_PROTOCOLS = { v1: ProxyProtocol.V1, v2: ProxyProtocol.V2 } as const;

/** The workload with that id, with the policies that guard it. */
export function compileWorkload(view: WorldView, id: string): Workload | undefined {
  const workload = view.workload(id);
  if (workload === undefined) return undefined;
  const { namespace, serviceAccount, spiffeId, labels, ports } = workload;
  const compiled: Workload = {
    id,
    namespace,
    serviceAccount,
    spiffeId,
    // In one order, so that the same labels are always the same bytes.
    labels: Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))),
    ports: ports.map(({ port, protocol, proxyProtocol, applicationAddress }) => ({
      port,
      protocol: protocolOfRegistration(protocol),
      name: "",
      applicationAddress,
      ...(proxyProtocol === undefined ? {} : { proxyProtocol: PROXY_PROTOCOLS[proxyProtocol] }),
    })),
    policies: view.policiesGuarding(workload).map((name) => ({ name })),
    locality: localityOf(workload),
    service: serviceOf(workload),
    egress: egressOf(view, namespace),
    ...(workload.gateway === undefined
      ? {}
      : { gateway: { gateways: workload.gateway.names.map((name) => `${namespace}/${name}`) } }),
  };
  // Of several services that say something the first counts: it is applied last.
  return view
    .servicesOf(workload)
    .toReversed()
    .flatMap((service) => {
      const [serviceNamespace = "", name = ""] = service.split("/");
      return view.attachedTo(serviceNamespace, name);
    })
    .reduce((result, { policyKind, policy }) => policyKind.applyToWorkload?.(policy, result) ?? result, compiled);
}

/** Label of a Namespace: "deny" lets its workloads call declared hosts only, "allow" any. */
const EGRESS_LABEL = "ripstop.mesh/egress";

/**
 * As the workload's namespace says, else as the reserved one says for the whole mesh. What is to leave by a gateway is not let
 * out past it unless that is said too.
 */
function egressOf(view: WorldView, namespace: string): EgressMode {
  for (const name of [namespace, RESERVED_NAMESPACE]) {
    const labels = view.resource(`Namespace/${name}`)?.metadata.labels ?? {};
    const mode = labels[EGRESS_LABEL];
    // Another word than "allow" is a slip of somebody who wants it closed.
    if (mode !== undefined) return mode === "allow" ? EgressMode.ALLOW : EgressMode.DENY;
    const gateway = labels[EGRESS_GATEWAY_LABEL];
    if (gateway !== undefined && gateway !== NO_GATEWAY) return EgressMode.DENY;
  }
  return EgressMode.ALLOW;
}

/** The policy with that key ("KIND/NAMESPACE/NAME"). */
export function compilePolicy(
  view: WorldView,
  key: string,
  context: { readonly policyKinds: readonly PolicyKind[]; readonly trustDomain: string },
): Policy | undefined {
  const resource = view.resource(key);
  const policyKind = context.policyKinds.find(({ kind }) => kind.kind === resource?.kind);
  if (resource === undefined || policyKind === undefined) return undefined;
  const config = Buffer.from(policyKind.compile(resource, { trustDomain: context.trustDomain }));
  return { name: key, kind: policyKind.name, config };
}

// The status of an ExternalService: whether its hosts can be reached by the Gateway that it is led through.

import type { ExternalServiceSpec } from "@ripstop/policies/external-service";
import { condition, type Condition } from "@ripstop/policies/gateway";
import type { Resource } from "@ripstop/resources";

import { gatewayOf, instancesOf, refusedBy } from "./egress-gateways.ts";
import type { WorldView } from "./world-view.ts";

/**
 * Accepted: the Gateway is there and lets it. Programmed: a proxy of it is ready. Judged for callers of its own namespace; the
 * first host that there is something to say of decides.
 */
export function externalServiceStatus(
  view: WorldView,
  resource: Resource<ExternalServiceSpec>,
): { readonly conditions: readonly Condition[] } {
  const at = condition(resource);
  const { namespace } = resource.metadata;
  const gateway = gatewayOf(view, resource, namespace);
  const conditions = (accepted: Condition, problem: string, through: string): readonly Condition[] => [
    accepted,
    problem === ""
      ? at("Programmed", true, "Programmed", through)
      : at("Programmed", false, accepted.status === "True" ? "NoInstance" : "Invalid", problem),
  ];
  if (gateway === "")
    return { conditions: conditions(at("Accepted", true, "Accepted", "it is valid"), "", "callers reach it directly") };
  const through = `callers reach it through Gateway ${gateway}`;
  for (const host of resource.spec.hosts) {
    const refused = refusedBy(view, resource, { gateway, namespace, host });
    if (refused !== undefined)
      return { conditions: conditions(at("Accepted", false, refused.reason, refused.message), refused.message, "") };
  }
  const [first = ""] = resource.spec.hosts;
  const { problem } = instancesOf(view, gateway, first);
  return { conditions: conditions(at("Accepted", true, "Accepted", through), problem, through) };
}

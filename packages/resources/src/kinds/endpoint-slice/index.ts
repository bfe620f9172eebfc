// EndpointSlice (discovery.k8s.io/v1): instances of a Service that somebody writes down, because they are not of the mesh.
// They belong to the Service that the label kubernetes.io/service-name names, if it selects no workloads itself.

import { isIP } from "node:net";

import type { Kind } from "../../kind.ts";
import { dnsLabelProblem, dnsSubdomainProblem, quote } from "../../names.ts";
import type { Resource } from "../../resource.ts";
import type { Violation } from "../../violation.ts";
import { endpointSliceSchema, type EndpointSliceSpec } from "./schema.ts";

export type { EndpointSliceSpec, SliceEndpointSpec, SlicePortSpec } from "./schema.ts";

/** Label that names the Service, of the slice's own namespace. */
export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

type Problem = Pick<Violation, "path" | "message" | "remedy">;

/** The kind EndpointSlice. */
export const endpointSliceKind: Kind<EndpointSliceSpec> = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  plural: "endpointslices",
  shortNames: [],
  namespaced: true,
  bodyFields: ["addressType", "endpoints", "ports"],
  schema: endpointSliceSchema,
  validate: (slice) => [...serviceProblems(slice), ...addressProblems(slice.spec), ...portProblems(slice.spec)],
};

function serviceProblems({ metadata }: Resource<EndpointSliceSpec>): readonly Problem[] {
  const path = `metadata.labels[${JSON.stringify(SERVICE_NAME_LABEL)}]`;
  const name = metadata.labels[SERVICE_NAME_LABEL];
  if (name === undefined) return [{ path, message: "it names no Service", remedy: "write the name of a Service" }];
  const problem = dnsLabelProblem(name, "the name of the Service");
  return problem === undefined ? [] : [{ path, ...problem }];
}

function addressProblems({ addressType, endpoints }: EndpointSliceSpec): readonly Problem[] {
  return endpoints.flatMap(({ addresses }, at) =>
    addresses.flatMap((address, index) => {
      const problem = addressProblem(addressType, address);
      return problem === undefined ? [] : [{ path: `endpoints[${at}].addresses[${index}]`, ...problem }];
    }),
  );
}

function addressProblem(
  type: EndpointSliceSpec["addressType"],
  address: string,
): Pick<Problem, "message" | "remedy"> | undefined {
  if (type === "FQDN") return dnsSubdomainProblem(address, "the host name");
  if (isIP(address) !== (type === "IPv4" ? 4 : 6))
    return { message: `${quote(address)} is no ${type} address`, remedy: `write an ${type} address` };
  // As in Kubernetes; but loopback is an address like others where services of one host are meshed.
  if (/^(0\.|169\.254\.|2(2[4-9]|3\d)\.|255\.)|^(::$|fe[89ab]|ff)/i.test(address))
    return { message: `no instance can be at ${quote(address)}`, remedy: "write the address of an instance" };
  return undefined;
}

function portProblems({ ports }: EndpointSliceSpec): readonly Problem[] {
  const names = new Set<string>();
  const problems: Problem[] = [];
  for (const [at, { name, protocol }] of ports.entries()) {
    const path = `ports[${at}]`;
    if (names.has(name))
      problems.push({
        path: `${path}.name`,
        message: `the name ${quote(name)} is given twice`,
        remedy: "use each once",
      });
    names.add(name);
    if (protocol !== "TCP")
      problems.push({ path: `${path}.protocol`, message: `${protocol} is not carried yet`, remedy: "use TCP" });
  }
  return problems;
}

// Service (core/v1): a name, its ports, and the workloads behind it.

import { isIP } from "node:net";

import type { Kind } from "../../kind.ts";
import { dnsLabelProblem, labelKeyProblem, labelValueProblem, quote } from "../../names.ts";
import type { Resource } from "../../resource.ts";
import type { Violation } from "../../violation.ts";
import { serviceSchema, type ServiceSpec } from "./schema.ts";

export type { ServicePortSpec, ServiceSpec } from "./schema.ts";

type Problem = Pick<Violation, "path" | "message" | "remedy">;

/** The kind Service. */
export const serviceKind: Kind<ServiceSpec> = {
  apiVersion: "v1",
  kind: "Service",
  plural: "services",
  shortNames: ["svc"],
  namespaced: true,
  schema: serviceSchema,
  validate(service) {
    return [
      ...nameProblems(service),
      ...selectorProblems(service.spec),
      ...portProblems(service.spec),
      ...addressProblems(service.spec),
    ];
  },
};

function nameProblems(service: Resource<ServiceSpec>): Problem[] {
  const problem = dnsLabelProblem(service.metadata.name, "the name");
  return problem ? [{ path: "metadata.name", ...problem }] : [];
}

function selectorProblems(spec: ServiceSpec): Problem[] {
  const problems: Problem[] = [];
  for (const [key, value] of Object.entries(spec.selector)) {
    const path = `spec.selector[${JSON.stringify(key)}]`;
    const keyProblem = labelKeyProblem(key);
    if (keyProblem) problems.push({ path, ...keyProblem });
    const valueProblem = labelValueProblem(value);
    if (valueProblem) problems.push({ path, ...valueProblem });
  }
  return problems;
}

function portProblems(spec: ServiceSpec): Problem[] {
  const problems: Problem[] = [];
  const numbers = new Set<number>();
  const names = new Set<string>();
  for (const [index, port] of spec.ports.entries()) {
    const path = `spec.ports[${index}]`;
    if (port.protocol !== "TCP") {
      problems.push({
        path: `${path}.protocol`,
        message: `${port.protocol} is not carried yet`,
        remedy: "use TCP, or leave this port out",
      });
    }
    if (numbers.has(port.port)) {
      problems.push({
        path: `${path}.port`,
        message: `port ${port.port} is given twice`,
        remedy: "give every port a number of its own",
      });
    }
    numbers.add(port.port);
    if (port.name === undefined && spec.ports.length > 1) {
      problems.push({
        path,
        message: "the port has no name",
        remedy: "name every port when there is more than one, for example http",
      });
    }
    if (port.name !== undefined && names.has(port.name)) {
      problems.push({
        path: `${path}.name`,
        message: `the name ${quote(port.name)} is given twice`,
        remedy: "give every port a name of its own",
      });
    }
    if (port.name !== undefined) names.add(port.name);
    const { targetPort } = port;
    if (typeof targetPort === "number" && (targetPort < 1 || targetPort > 65535)) {
      problems.push({
        path: `${path}.targetPort`,
        message: `targetPort is ${targetPort}`,
        remedy: "use a number from 1 to 65535, or a port's name",
      });
    }
    if (typeof targetPort === "string" && !/^(?=[a-z0-9-]{1,15}$)[a-z0-9]*[a-z][a-z0-9-]*[a-z0-9]?$/.test(targetPort)) {
      problems.push({
        path: `${path}.targetPort`,
        message: `targetPort is ${quote(targetPort)}, which is no port name`,
        remedy: /^[0-9]+$/.test(targetPort)
          ? `write ${targetPort} without quotes`
          : "use at most 15 of a-z, 0-9 and -, with a letter among them",
      });
    }
  }
  return problems;
}

function addressProblems(spec: ServiceSpec): Problem[] {
  const problems: Problem[] = [];
  const given: [string, string][] = (spec.clusterIPs ?? []).map((address, index) => [
    `spec.clusterIPs[${index}]`,
    address,
  ]);
  if (spec.clusterIP !== undefined && spec.clusterIP !== "") given.push(["spec.clusterIP", spec.clusterIP]);
  for (const [path, address] of given) {
    if (address === "None" || isIP(address) !== 0) continue;
    problems.push({
      path,
      message: `${quote(address)} is not an IP address`,
      remedy: 'write an IPv4 or IPv6 address, or "None"',
    });
  }
  return problems;
}

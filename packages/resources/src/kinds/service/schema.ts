// Service (core/v1), the part of it that a mesh uses: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/

import type { JsonSchema } from "../../kind.ts";

/** A Service's spec, defaults filled in. */
export interface ServiceSpec {
  /** Labels that a workload of the same namespace must all have; empty selects none. */
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePortSpec[];
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
  /** A virtual address, "None" (headless) or "". */
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
}

/** One port of a Service. */
export interface ServicePortSpec {
  readonly name?: string;
  /** 1 … 65535, what clients name. */
  readonly port: number;
  /** The workload's port, by number or name; default: the port that the workload registered for this one. */
  readonly targetPort?: number | string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  /** "http", "http2", "kubernetes.io/h2c", "grpc", "kubernetes.io/ws", "tcp", "tls", "https". */
  readonly appProtocol?: string;
  readonly nodePort?: number;
}

const port = { type: "integer", minimum: 1, maximum: 65535 };

/** Schema of ServiceSpec. */
export const serviceSchema: JsonSchema = {
  type: "object",
  required: ["ports"],
  properties: {
    selector: { type: "object", additionalProperties: { type: "string" }, default: {} },
    ports: {
      type: "array",
      minItems: 1,
      maxItems: 1000,
      items: {
        type: "object",
        required: ["port"],
        properties: {
          name: { type: "string", format: "dns-label" },
          port,
          targetPort: { type: ["integer", "string"] },
          protocol: { type: "string", enum: ["TCP", "UDP", "SCTP"], default: "TCP" },
          appProtocol: { type: "string", maxLength: 253 },
          nodePort: { type: "integer", minimum: 0, maximum: 65535 },
        },
      },
    },
    type: { type: "string", enum: ["ClusterIP", "NodePort", "LoadBalancer"], default: "ClusterIP" },
    clusterIP: { type: "string" },
    clusterIPs: { type: "array", maxItems: 2, items: { type: "string" } },
    // Read over: they matter to Kubernetes alone, and files that hold them should apply here as they are.
    ipFamilies: { type: "array", items: { type: "string" } },
    ipFamilyPolicy: { type: "string" },
    internalTrafficPolicy: { type: "string" },
    externalTrafficPolicy: { type: "string" },
    sessionAffinity: { type: "string" },
    allocateLoadBalancerNodePorts: { type: "boolean" },
    publishNotReadyAddresses: { type: "boolean" },
  },
};

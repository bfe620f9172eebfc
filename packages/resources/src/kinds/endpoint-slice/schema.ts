// EndpointSlice (discovery.k8s.io/v1), the part of it that a mesh uses:
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/

import type { JsonSchema } from "../../kind.ts";

/** The body of an EndpointSlice but for its metadata, defaults filled in. */
export interface EndpointSliceSpec {
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly endpoints: readonly SliceEndpointSpec[];
  readonly ports: readonly SlicePortSpec[];
}

/** One instance. */
export interface SliceEndpointSpec {
  /** Of one instance: they are tried as if each were one of its own. */
  readonly addresses: readonly string[];
  readonly conditions?: {
    /** Absent: it is. */
    readonly ready?: boolean;
  };
  readonly zone?: string;
}

/** A port of all of them. */
export interface SlicePortSpec {
  /** That of the Service's port; "" for its only one. */
  readonly name: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  /** Counts when the Service's port has none. */
  readonly appProtocol?: string;
}

const text = { type: "string", maxLength: 253 };

/** Schema of EndpointSliceSpec. */
export const endpointSliceSchema: JsonSchema = {
  type: "object",
  required: ["addressType"],
  properties: {
    addressType: { type: "string", enum: ["IPv4", "IPv6", "FQDN"] },
    endpoints: {
      type: "array",
      maxItems: 1000,
      default: [],
      items: {
        type: "object",
        required: ["addresses"],
        properties: {
          addresses: { type: "array", minItems: 1, maxItems: 100, items: text },
          conditions: {
            type: "object",
            properties: {
              ready: { type: "boolean" },
              serving: { type: "boolean" },
              terminating: { type: "boolean" },
            },
          },
          zone: { type: "string", maxLength: 63 },
          // Read over: they matter to Kubernetes alone, and files that hold them should apply here as they are.
          hostname: text,
          nodeName: text,
          targetRef: { type: "object", additionalProperties: { type: "string" } },
          deprecatedTopology: { type: "object", additionalProperties: { type: "string" } },
          hints: {
            type: "object",
            properties: {
              forZones: {
                type: "array",
                maxItems: 8,
                items: { type: "object", required: ["name"], properties: { name: text } },
              },
            },
          },
        },
      },
    },
    ports: {
      type: "array",
      maxItems: 100,
      default: [],
      items: {
        type: "object",
        required: ["port"],
        properties: {
          name: { type: "string", maxLength: 63, default: "" },
          port: { type: "integer", minimum: 1, maximum: 65535 },
          protocol: { type: "string", enum: ["TCP", "UDP", "SCTP"], default: "TCP" },
          appProtocol: text,
        },
      },
    },
  },
};

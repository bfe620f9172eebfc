// ExternalService (ripstop.mesh/v1alpha1): hosts outside the mesh, so that calls of them are routed, balanced and counted
// like calls of services, and let out where undeclared hosts are not.

import type { JsonSchema } from "@ripstop/resources";

/** Hosts outside the mesh. */
export interface ExternalServiceSpec {
  /** Host names in lower case, or "*.example.com" for every name below it. */
  readonly hosts: readonly string[];
  readonly ports: readonly ExternalPort[];
  /** DNS: each host by its own addresses, looked up again when their time to live is over. Static: `addresses`. */
  readonly resolution: "DNS" | "Static";
  /** IP addresses, with Static. */
  readonly addresses?: readonly string[];
  /** Who may use it: callers of its own namespace, or of all. */
  readonly visibility: "Namespace" | "Mesh";
  /** The Gateway that its hosts are reached through; default that of the caller's namespace, else of the mesh, else none. */
  readonly gateway?: ExternalGateway;
}

/** A Gateway with an egress listener. */
export interface ExternalGateway {
  readonly name: string;
  /** Default: the ExternalService's own. */
  readonly namespace?: string;
}

/** A port that callers name. */
export interface ExternalPort {
  readonly port: number;
  readonly protocol: "HTTP" | "HTTP2" | "GRPC" | "TLS" | "TCP";
  /** Where connections go; default `port`. */
  readonly targetPort?: number;
  /** The proxy speaks TLS to the host; callers speak plain HTTP to the proxy. */
  readonly tls?: ExternalTls;
}

/** TLS that the proxy begins. */
export interface ExternalTls {
  /** Server name; default the host that the caller names. */
  readonly sni?: string;
  /** The certificate must carry one of these; default the server name. */
  readonly subjectAltNames?: readonly string[];
  /** Whom to believe; default the roots of the operating system. */
  readonly caCertificates?: string;
}

const HOST = "^(\\*\\.)?([a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?)(\\.[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?)*$";

const LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/** Schema of ExternalService.spec. */
export const externalServiceSchema: JsonSchema = {
  type: "object",
  description: "Hosts outside the mesh, which callers then reach like services.",
  additionalProperties: false,
  required: ["hosts", "ports"],
  properties: {
    hosts: {
      type: "array",
      description: 'Host names in lower case, or "*.example.com" for every name below it.',
      minItems: 1,
      maxItems: 64,
      items: { type: "string", maxLength: 253, pattern: HOST },
    },
    ports: {
      type: "array",
      description: "Ports that callers name.",
      minItems: 1,
      maxItems: 32,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["port", "protocol"],
        properties: {
          port: { type: "integer", minimum: 1, maximum: 65_535, description: "The port that callers name." },
          protocol: {
            type: "string",
            enum: ["HTTP", "HTTP2", "GRPC", "TLS", "TCP"],
            description: "What callers speak. TLS passes as it is, once its server name was checked.",
          },
          targetPort: { type: "integer", minimum: 1, maximum: 65_535, description: "Default: `port`." },
          tls: {
            type: "object",
            description: "The proxy speaks TLS to the host; callers speak plain HTTP to the proxy.",
            additionalProperties: false,
            properties: {
              sni: { type: "string", maxLength: 253, pattern: HOST, description: "Server name; default the host." },
              subjectAltNames: {
                type: "array",
                description: "DNS names of which the certificate must carry one; default the server name.",
                minItems: 1,
                maxItems: 16,
                items: { type: "string", maxLength: 253, pattern: HOST },
              },
              caCertificates: {
                type: "string",
                maxLength: 65_536,
                description: "PEM certificates of the authorities to believe; default those of the operating system.",
              },
            },
          },
        },
      },
    },
    resolution: {
      type: "string",
      enum: ["DNS", "Static"],
      default: "DNS",
      description: "DNS: by the addresses of each host, looked up again by their time to live. Static: `addresses`.",
    },
    addresses: {
      type: "array",
      description: "IP addresses, with resolution Static.",
      minItems: 1,
      maxItems: 64,
      items: { type: "string", maxLength: 45 },
    },
    visibility: {
      type: "string",
      enum: ["Namespace", "Mesh"],
      default: "Namespace",
      description: "Whose calls it is for: those of its own namespace, or of all that have no own one for the host.",
    },
    gateway: {
      type: "object",
      description:
        "The Gateway that its hosts are reached through, and never otherwise. Default: what the label ripstop.mesh/egress-gateway of the caller's Namespace, or of ripstop-system, says.",
      additionalProperties: false,
      required: ["name"],
      properties: {
        name: { type: "string", maxLength: 253, pattern: NAME, description: "Name of the Gateway." },
        namespace: {
          type: "string",
          maxLength: 63,
          pattern: LABEL,
          description: "Namespace of the Gateway; default that of the ExternalService.",
        },
      },
    },
  },
};

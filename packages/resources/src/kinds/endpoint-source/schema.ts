// EndpointSource (ripstop.mesh/v1alpha1): a registry outside the mesh that says where the instances of a Service are.

import type { JsonSchema } from "../../kind.ts";

/** Where the instances of a Service come from: one of `dnsSrv` and `consul`. */
export interface EndpointSourceSpec {
  /** The Service that gets them; it has no selector. */
  readonly service: { readonly namespace: string; readonly name: string };
  /** The Service's port that they serve; absent: each of its ports. */
  readonly port?: number;
  readonly dnsSrv?: DnsSrvSpec;
  readonly consul?: ConsulSpec;
}

/** SRV records (RFC 2782). */
export interface DnsSrvSpec {
  /** Name of the records, for example "_http._tcp.orders.example.com". */
  readonly name: string;
  /** "IP" or "IP:PORT" of the name servers to ask, in order; absent: those of the control plane's host. */
  readonly nameServers?: readonly string[];
}

/** A service of Consul's catalog. */
export interface ConsulSpec {
  /** "http://HOST:PORT" or "https://HOST:PORT" of an agent or a server. */
  readonly url: string;
  /** Name of the service there. */
  readonly service: string;
  /** Absent: that of the agent. */
  readonly datacenter?: string;
  /** Consul's filter expression, for example `"v2" in Service.Tags`. */
  readonly filter?: string;
  /** Any server may answer, not the leader alone; for at most 60 s behind. */
  readonly stale: boolean;
  /** Key of a Secret that holds the token. */
  readonly tokenSecret?: { readonly namespace: string; readonly name: string; readonly key: string };
  /** PEM certificates of the authorities to believe; absent: those of the operating system. */
  readonly caCertificates?: string;
}

const LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const reference = {
  namespace: { type: "string", maxLength: 63, pattern: LABEL, description: "Namespace of it." },
  name: { type: "string", maxLength: 253, description: "Name of it." },
};

/** Schema of EndpointSource.spec. */
export const endpointSourceSchema: JsonSchema = {
  type: "object",
  description: "A registry outside the mesh that says where the instances of a Service are.",
  additionalProperties: false,
  required: ["service"],
  properties: {
    service: {
      type: "object",
      description: "The Service that gets the instances. It has no selector.",
      additionalProperties: false,
      required: ["namespace", "name"],
      properties: reference,
    },
    port: {
      type: "integer",
      minimum: 1,
      maximum: 65_535,
      description: "The Service's port that they serve. Default: each of its ports.",
    },
    dnsSrv: {
      type: "object",
      description: "SRV records, asked for again when their time to live is over.",
      additionalProperties: false,
      required: ["name"],
      properties: {
        name: {
          type: "string",
          description: 'Name of the records, for example "_http._tcp.orders.example.com".',
          maxLength: 253,
          pattern:
            "^[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?(\\.[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?)+\\.?$",
        },
        nameServers: {
          type: "array",
          description:
            '"IP", "IP:PORT" or "[IPv6]:PORT", asked in this order. Default: those of the control plane\'s host.',
          minItems: 1,
          maxItems: 8,
          items: { type: "string", maxLength: 64 },
        },
      },
    },
    consul: {
      type: "object",
      description: "A service of Consul's catalog: the instances of which all checks pass.",
      additionalProperties: false,
      required: ["url", "service"],
      properties: {
        url: {
          type: "string",
          maxLength: 2048,
          description: 'Of an agent or a server: "http://HOST:PORT" or "https://HOST:PORT".',
        },
        service: { type: "string", minLength: 1, maxLength: 128, description: "Name of the service in the catalog." },
        datacenter: {
          type: "string",
          maxLength: 64,
          pattern: "^[A-Za-z0-9_-]+$",
          description: "Default: that of the agent.",
        },
        filter: {
          type: "string",
          minLength: 1,
          maxLength: 1024,
          description: 'Consul\'s filter expression, for example `"v2" in Service.Tags`.',
        },
        stale: {
          type: "boolean",
          default: false,
          description:
            "Any server may answer, not the leader alone. One that is more than 60 s behind is not believed.",
        },
        tokenSecret: {
          type: "object",
          description: "Secret that holds the token; it needs node:read and service:read.",
          additionalProperties: false,
          required: ["namespace", "name"],
          properties: {
            ...reference,
            key: { type: "string", maxLength: 253, default: "token", description: "Key of the Secret." },
          },
        },
        caCertificates: {
          type: "string",
          maxLength: 65_536,
          description: "PEM certificates of the authorities to believe. Default: those of the operating system.",
        },
      },
    },
  },
};

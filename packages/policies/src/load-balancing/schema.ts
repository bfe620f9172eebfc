// LoadBalancingPolicy (ripstop.mesh/v1alpha1): how requests to a Service are spread over its endpoints.

import type { JsonSchema } from "@ripstop/resources";

import { sessionPersistenceSchema, type SessionPersistenceSpec } from "../session-persistence.ts";

/** How requests are spread. What is left out is as without the policy. */
export interface LoadBalancingPolicySpec {
  /** Services of the policy's namespace. */
  readonly targetRefs: readonly { readonly group: string; readonly kind: string; readonly name: string }[];
  readonly algorithm: (typeof algorithms)[number];
  readonly hashKeys?: readonly HashKeySpec[];
  /** Percent of the average, with RingHash. */
  readonly maxLoad?: number;
  readonly locality?: {
    readonly preference: "Zone" | "None";
    readonly maxRequestsPerEndpoint: number;
    readonly targetUtilization: number;
  };
  readonly slowStart?: { readonly window: string; readonly aggression: number };
  /** Percent. */
  readonly panicThreshold?: number;
  readonly weights: "Static" | "Adaptive";
  readonly rest?: { readonly max: string };
  readonly subsets?: { readonly label: string; readonly header: string; readonly unknown: "Any" | "Refuse" };
  readonly outliers?: OutliersSpec;
  readonly healthCheck?: HealthCheckSpec;
  readonly sessionPersistence?: SessionPersistenceSpec;
}

/** The algorithms. */
export const algorithms = ["PeakEwma", "RoundRobin", "Random", "LeastRequest", "RingHash", "Maglev"] as const;

/** What a request is hashed by. */
export interface HashKeySpec {
  readonly type: "Header" | "Cookie" | "Query" | "Path" | "SourceAddress" | "SourceIdentity";
  /** Of the header, cookie or query parameter. */
  readonly name?: string;
  /** Of a cookie. */
  readonly ttl?: string;
  /** Of a cookie. */
  readonly path?: string;
}

/** When an endpoint is left alone. */
export interface OutliersSpec {
  readonly consecutiveFailures: number;
  readonly consecutiveConnectFailures?: number;
  readonly baseEjection: string;
  readonly maxEjection: string;
  readonly maxEjectionPercent: number;
  readonly interval: string;
  readonly minRequests: number;
  /** Standard deviations below the mean. */
  readonly successRateFactor?: number;
  /** Times the median. */
  readonly latencyFactor?: number;
}

/** A check that proxies make. */
export interface HealthCheckSpec {
  readonly type: "TCP" | "HTTP" | "GRPC";
  readonly port?: number;
  readonly interval: string;
  readonly timeout: string;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  readonly http?: {
    readonly path: string;
    readonly host?: string;
    readonly minStatus: number;
    readonly maxStatus: number;
  };
  readonly grpc?: { readonly service: string };
}

const duration: JsonSchema = {
  type: "string",
  format: "duration",
  "x-remedy": 'write digits and a unit, for example "500ms", "10s" or "1h"',
};
const fieldName: JsonSchema = {
  type: "string",
  minLength: 1,
  maxLength: 256,
  pattern: "^[A-Za-z0-9!#$%&'*+\\-.^_`|~]+$",
};
const percent = (description: string, most = 100): JsonSchema => ({
  type: "integer",
  minimum: 0,
  maximum: most,
  description,
});

const hashKey: JsonSchema = {
  type: "object",
  description: "What a request is hashed by.",
  additionalProperties: false,
  required: ["type"],
  properties: {
    type: { type: "string", enum: ["Header", "Cookie", "Query", "Path", "SourceAddress", "SourceIdentity"] },
    name: { ...fieldName, description: "Name of the header, cookie or query parameter." },
    ttl: { ...duration, description: "How long a client keeps the cookie. Default: as long as its session." },
    path: { type: "string", maxLength: 1024, pattern: "^/[!-:<-~]*$", description: 'Path of the cookie. Default "/".' },
  },
};

const outliers: JsonSchema = {
  type: "object",
  description: "When an endpoint is left alone for a while; it returns after one request that it answers well.",
  additionalProperties: false,
  properties: {
    consecutiveFailures: { type: "integer", minimum: 1, maximum: 1000, default: 5, description: "Failures in a row." },
    consecutiveConnectFailures: {
      type: "integer",
      minimum: 1,
      maximum: 1000,
      description: "Connections in a row that could not be made. Default: as consecutiveFailures.",
    },
    baseEjection: {
      ...duration,
      default: "10s",
      description: "The first ejection; each further one is twice as long.",
    },
    maxEjection: { ...duration, default: "5m" },
    maxEjectionPercent: { ...percent("Most endpoints that may be out at a time."), default: 50 },
    interval: { ...duration, default: "10s", description: "How often endpoints are compared with each other." },
    minRequests: {
      type: "integer",
      minimum: 1,
      maximum: 1_000_000,
      default: 20,
      description: "An endpoint with fewer requests in an interval is not compared.",
    },
    successRateFactor: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 10,
      description: "Ejects so many standard deviations below the mean success rate. Default: not by success rate.",
    },
    latencyFactor: {
      type: "number",
      minimum: 1.1,
      maximum: 100,
      description: "Ejects above so many times the median response time. Default: not by latency.",
    },
  },
};

const healthCheck: JsonSchema = {
  type: "object",
  description: "A check that the proxies of clients make of each endpoint, while they use the Service.",
  additionalProperties: false,
  required: ["type"],
  properties: {
    type: { type: "string", enum: ["TCP", "HTTP", "GRPC"] },
    port: { type: "integer", minimum: 1, maximum: 65_535, description: "Port of the Service. Default: its first." },
    interval: { ...duration, default: "10s", description: "Time between two checks of one endpoint." },
    timeout: { ...duration, default: "2s" },
    unhealthyThreshold: { type: "integer", minimum: 1, maximum: 100, default: 3, description: "Failures in a row." },
    healthyThreshold: { type: "integer", minimum: 1, maximum: 100, default: 2, description: "Successes in a row." },
    http: {
      type: "object",
      additionalProperties: false,
      properties: {
        path: { type: "string", minLength: 1, maxLength: 1024, pattern: "^/[!-~]*$", default: "/" },
        host: { type: "string", minLength: 1, maxLength: 253, description: "Default: the name of the Service." },
        minStatus: { type: "integer", minimum: 100, maximum: 599, default: 200 },
        maxStatus: { type: "integer", minimum: 100, maximum: 599, default: 299 },
      },
    },
    grpc: {
      type: "object",
      additionalProperties: false,
      properties: {
        service: { type: "string", maxLength: 256, default: "", description: "Default: the server as a whole." },
      },
    },
  },
};

/** Schema of LoadBalancingPolicy.spec. */
export const loadBalancingSchema: JsonSchema = {
  type: "object",
  description: "How requests to a Service are spread over its endpoints.",
  additionalProperties: false,
  required: ["targetRefs"],
  properties: {
    targetRefs: {
      type: "array",
      minItems: 1,
      maxItems: 16,
      description: "Services of the policy's namespace.",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["kind", "name"],
        properties: {
          group: { type: "string", enum: [""], default: "" },
          kind: { type: "string", enum: ["Service"] },
          name: { type: "string", minLength: 1, maxLength: 63, pattern: "^[a-z]([-a-z0-9]*[a-z0-9])?$" },
        },
      },
    },
    algorithm: { type: "string", enum: [...algorithms], default: "PeakEwma" },
    hashKeys: {
      type: "array",
      minItems: 1,
      maxItems: 8,
      items: hashKey,
      description: "With RingHash and Maglev: the first that gives a value counts.",
    },
    maxLoad: {
      type: "integer",
      minimum: 101,
      maximum: 1000,
      description:
        "With RingHash: most requests under way at an endpoint, in percent of the average. Default: no bound.",
    },
    locality: {
      type: "object",
      description: "Near endpoints first: the zone, then the region, then the rest.",
      additionalProperties: false,
      properties: {
        preference: { type: "string", enum: ["Zone", "None"], default: "Zone" },
        maxRequestsPerEndpoint: {
          type: "integer",
          minimum: 1,
          maximum: 100_000,
          default: 100,
          description: "Requests of one proxy under way, on average, at which a zone is full and passes requests on.",
        },
        targetUtilization: { ...percent("Reported utilization at which a zone is full."), minimum: 1, default: 80 },
      },
    },
    slowStart: {
      type: "object",
      description: "Endpoints that come, or come back, get their share little by little.",
      additionalProperties: false,
      required: ["window"],
      properties: {
        window: duration,
        aggression: {
          type: "integer",
          minimum: 10,
          maximum: 1000,
          default: 100,
          description: "100 is linear; more is quicker at first.",
        },
      },
    },
    panicThreshold: percent(
      "With fewer usable endpoints than this, all that the registry calls ready are used. Default 0: when none is left.",
    ),
    weights: {
      type: "string",
      enum: ["Static", "Adaptive"],
      default: "Static",
      description: "Adaptive: weights follow latency, errors and load reports (ORCA).",
    },
    rest: {
      type: "object",
      description: "An endpoint that answers 429 or 503 with Retry-After gets nothing for that time.",
      additionalProperties: false,
      properties: { max: { ...duration, default: "30s", description: "The longest rest." } },
    },
    subsets: {
      type: "object",
      description: "Requests that name a value go to the endpoints that have it as a label.",
      additionalProperties: false,
      required: ["label", "header"],
      properties: {
        label: { type: "string", minLength: 1, maxLength: 317, description: "Label of the workloads." },
        header: { ...fieldName, description: "Header of requests that names the value." },
        unknown: {
          type: "string",
          enum: ["Any", "Refuse"],
          default: "Any",
          description: "Where requests go whose value no endpoint has.",
        },
      },
    },
    outliers,
    healthCheck,
    sessionPersistence: sessionPersistenceSchema,
  },
};

// ResiliencePolicy (ripstop.mesh/v1alpha1): how clients of a Service wait, try again and stop asking.

import type { JsonSchema } from "@ripstop/resources";

/** When a try that failed is made again. */
export type RetryOn = "connect-failure" | "refused-stream" | "reset" | "server-error" | "gateway-error" | "try-timeout";

/** How urgent a request is; the lowest is refused first. */
export type ShedPriority = "sheddable" | "low" | "default" | "critical";

/** Durations are GEP-2257 texts. What is left out keeps its default. */
export interface ResiliencePolicySpec {
  /** Services of the policy's namespace. */
  readonly targetRefs: readonly ResilienceTarget[];
  readonly timeouts?: TimeoutsSpec;
  readonly retries?: RetriesSpec;
  readonly hedging?: HedgingSpec;
  readonly limits?: LimitsSpec;
  readonly adaptiveConcurrency?: AdaptiveSpec;
  readonly loadShedding?: SheddingSpec;
}

/** A Service in the policy's own namespace. */
export interface ResilienceTarget {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

/** Each limits one part of a request or connection; "0s" is no limit. */
export interface TimeoutsSpec {
  readonly request?: string;
  readonly perTry?: string;
  readonly connect?: string;
  readonly responseHeader?: string;
  readonly body?: string;
  readonly streamIdle?: string;
  readonly connectionIdle?: string;
}

/** What is tried again, how soon, and how much of it. */
export interface RetriesSpec {
  /** Most retries of one request; 0 = never. */
  readonly attempts?: number;
  readonly on?: readonly RetryOn[];
  readonly codes?: readonly number[];
  readonly grpcStatuses?: readonly number[];
  readonly methods?: readonly string[];
  readonly backoff?: { readonly base: string; readonly max?: string };
  readonly retryAfter?: { readonly max: string };
  readonly budget: { readonly percent: number; readonly minPerSecond: number };
}

/** One of the two. */
export interface HedgingSpec {
  readonly after?: string;
  readonly percentile?: number;
}

/** Fixed limits, of one client proxy process. */
export interface LimitsSpec {
  readonly connections?: number;
  readonly pending?: number;
  readonly requests?: number;
  readonly retries?: number;
}

/** A limit that follows latency. */
export interface AdaptiveSpec {
  readonly scope: "Service" | "Endpoint";
  readonly minimum: number;
  readonly maximum: number;
}

/** What the proxies of the Service's own workloads refuse when they have too much to do. */
export interface SheddingSpec {
  readonly maximum: number;
  /** Given: the limit moves between this and `maximum` with the latency of the application. */
  readonly minimum?: number;
  readonly header: string;
  readonly rules: readonly SheddingRule[];
}

/** Gives requests a priority. */
export interface SheddingRule {
  readonly paths?: readonly string[];
  readonly principals?: readonly string[];
  readonly priority: ShedPriority;
}

const DNS_LABEL = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
const MAX_COUNT = 1_000_000;

function duration(description: string): JsonSchema {
  return {
    type: "string",
    pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$",
    "x-remedy": 'write digits and a unit (h, m, s, ms), for example "2s" or "500ms"',
    description,
  };
}

function count(description: string): JsonSchema {
  return { type: "integer", minimum: 1, maximum: MAX_COUNT, description };
}

/** Schema of ResiliencePolicy.spec. */
export const resilienceSchema: JsonSchema = {
  type: "object",
  description: "How clients of the Services wait, try again and stop asking, and what the Services refuse first.",
  additionalProperties: false,
  required: ["targetRefs"],
  properties: {
    targetRefs: {
      type: "array",
      description: "Services of the policy's namespace. Of several policies for one Service the oldest counts.",
      minItems: 1,
      maxItems: 16,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["kind", "name"],
        properties: {
          group: { type: "string", enum: [""], default: "", description: "The core group." },
          kind: { type: "string", enum: ["Service"], description: "Service." },
          name: { type: "string", maxLength: 63, pattern: DNS_LABEL, description: "Name of the Service." },
        },
      },
    },
    timeouts: {
      type: "object",
      description: "Time-outs; 0s is no limit. A route's own time-outs go before `request` and `perTry`.",
      additionalProperties: false,
      minProperties: 1,
      properties: {
        request: duration("The whole request with its retries, to the last byte of the answer."),
        perTry: duration("One try, to the last byte of its answer."),
        connect: duration("Making a connection to an instance. Default 5s."),
        responseHeader: duration("From the start of a try to the head of its answer."),
        body: duration("From the head of the answer to its last byte."),
        streamIdle: duration("A request, WebSocket or other tunnel over HTTP through which nothing passes."),
        connectionIdle: duration("A connection to an instance that nobody uses. Default 300s between proxies."),
      },
    },
    retries: {
      type: "object",
      description: "What is tried again. The `retry` of a route goes before it, except for the budget.",
      additionalProperties: false,
      minProperties: 1,
      properties: {
        attempts: {
          type: "integer",
          minimum: 0,
          maximum: 10,
          description: "Most retries of one request; 0 is never. Default 2.",
        },
        on: {
          type: "array",
          description:
            "Default: connect-failure, refused-stream, reset, gateway-error, try-timeout. A request that may have been " +
            "processed is only sent again when its method is idempotent or listed in `methods`.",
          minItems: 1,
          maxItems: 6,
          uniqueItems: true,
          items: {
            type: "string",
            enum: ["connect-failure", "refused-stream", "reset", "server-error", "gateway-error", "try-timeout"],
          },
        },
        codes: {
          type: "array",
          description: "Statuses that are tried again besides those of `on`.",
          minItems: 1,
          maxItems: 32,
          uniqueItems: true,
          items: { type: "integer", minimum: 400, maximum: 599 },
        },
        grpcStatuses: {
          type: "array",
          description: "gRPC statuses of answers without a message that are tried again. Default 14 (UNAVAILABLE).",
          minItems: 1,
          maxItems: 16,
          uniqueItems: true,
          items: { type: "integer", minimum: 1, maximum: 16 },
        },
        methods: {
          type: "array",
          description: "Methods that the Service takes twice without harm, besides the idempotent ones (RFC 9110).",
          minItems: 1,
          maxItems: 16,
          uniqueItems: true,
          items: { type: "string", maxLength: 32, pattern: "^[A-Z][A-Z0-9!#$%&'*+.^_`|~-]*$" },
        },
        backoff: {
          type: "object",
          description: "Waiting before a retry; doubled each time, and up to a quarter more by chance.",
          additionalProperties: false,
          required: ["base"],
          properties: {
            base: duration("Before the first retry. Default 25ms, and none while another instance was not tried."),
            max: duration("It grows to this. Default ten times the base."),
          },
        },
        retryAfter: {
          type: "object",
          description: "Retry-After of an answer is waited out.",
          additionalProperties: false,
          required: ["max"],
          properties: { max: duration("An answer that asks for longer is passed on. Default 1s.") },
        },
        budget: {
          type: "object",
          description: "Retries and hedges together may add this much to the load.",
          additionalProperties: false,
          default: {},
          properties: {
            percent: {
              type: "integer",
              minimum: 0,
              maximum: 1000,
              default: 20,
              description: "In percent of the requests. More than 100 takes the protection against retry storms away.",
            },
            minPerSecond: {
              type: "integer",
              minimum: 0,
              maximum: 1000,
              default: 3,
              description: "So many are always allowed.",
            },
          },
        },
      },
    },
    hedging: {
      type: "object",
      description:
        "A request without a body and with an idempotent method that is not answered in time is sent to a second instance " +
        "too; the first answer counts, the other try is reset. Each takes from the retry budget.",
      additionalProperties: false,
      minProperties: 1,
      properties: {
        after: duration("When the second one is sent."),
        percentile: {
          type: "integer",
          minimum: 50,
          maximum: 99,
          description: "In place of `after`: when it takes longer than this percentage of recent requests.",
        },
      },
    },
    limits: {
      type: "object",
      description: "Fixed limits of each client proxy process; what goes beyond is refused with 503.",
      additionalProperties: false,
      minProperties: 1,
      properties: {
        connections: count("Connections to one instance."),
        pending: count("Requests that wait for a connection to one instance."),
        requests: count("Requests under way to the Service."),
        retries: count("Retries under way to the Service."),
      },
    },
    adaptiveConcurrency: {
      type: "object",
      description: "A limit of requests under way that falls when latency rises, in each client proxy process.",
      additionalProperties: false,
      properties: {
        scope: {
          type: "string",
          enum: ["Service", "Endpoint"],
          default: "Service",
          description: "One limit for the Service, or one for each instance.",
        },
        minimum: { ...count("The limit never falls below this."), default: 5 },
        maximum: { ...count("The limit never rises above this."), default: 1000 },
      },
    },
    loadShedding: {
      type: "object",
      description:
        "What the proxies of the Service's own workloads refuse when they have too much to do, lowest first.",
      additionalProperties: false,
      required: ["maximum"],
      properties: {
        maximum: count("Requests under way in one workload."),
        minimum: count("Given: the limit moves between this and `maximum` with the application's latency."),
        header: {
          type: "string",
          default: "x-request-priority",
          maxLength: 256,
          pattern: "^[A-Za-z0-9!#$%&'*+\\-.^_`|~]*$",
          description: 'Request header that says sheddable, low, default or critical; "" for none.',
        },
        rules: {
          type: "array",
          description: "The first that matches gives the priority; none: the header.",
          default: [],
          maxItems: 64,
          items: {
            type: "object",
            additionalProperties: false,
            required: ["priority"],
            properties: {
              paths: {
                type: "array",
                description: 'Whole paths, or "/prefix/*" for the prefix and everything below it.',
                minItems: 1,
                maxItems: 64,
                items: { type: "string", minLength: 1, maxLength: 1024, pattern: "^/" },
              },
              principals: {
                type: "array",
                description: "SPIFFE ids of callers.",
                minItems: 1,
                maxItems: 64,
                items: { type: "string", maxLength: 2048, pattern: "^spiffe://" },
              },
              priority: {
                type: "string",
                enum: ["sheddable", "low", "default", "critical"],
                description: "sheddable goes at 60 % of the limit, low at 80 %, default at 95 %, critical at 100 %.",
              },
            },
          },
        },
      },
    },
  },
};

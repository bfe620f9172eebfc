// Schema of HTTPRoute.spec: limits, patterns and defaults of the published CRD (Gateway API v1.6.1).
// Fields that Ripstop cannot do yet are in it, so that validation can say so rather than call them unknown.

import type { JsonSchema } from "@ripstop/resources";

import { sessionPersistenceSchema } from "../session-persistence.ts";
import { filterTypes } from "./spec.ts";

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const TOKEN = "^[A-Za-z0-9!#$%&'*+\\-.^_`|~]+$";
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

const group: JsonSchema = { type: "string", maxLength: 253, pattern: `^$|^${SUBDOMAIN}$` };
const kind: JsonSchema = {
  type: "string",
  minLength: 1,
  maxLength: 63,
  pattern: "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$",
};
const objectName: JsonSchema = { type: "string", minLength: 1, maxLength: 253 };
const namespace: JsonSchema = { type: "string", minLength: 1, maxLength: 63, pattern: `^${LABEL}$` };
const sectionName: JsonSchema = { type: "string", minLength: 1, maxLength: 253, pattern: `^${SUBDOMAIN}$` };
const port: JsonSchema = { type: "integer", minimum: 1, maximum: 65_535 };
const duration: JsonSchema = { type: "string", pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$" };
const fieldName: JsonSchema = { type: "string", minLength: 1, maxLength: 256, pattern: TOKEN };

/** Of the Go type that the CRD has. */
const INT32 = 2_147_483_647;

/** Accepted as it is; validate.ts refuses it as not supported. */
const later: JsonSchema = { type: "object", additionalProperties: true };

function namedMatch(maxValueLength: number): JsonSchema {
  return {
    type: "object",
    additionalProperties: false,
    required: ["name", "value"],
    properties: {
      type: { type: "string", enum: ["Exact", "RegularExpression"], default: "Exact" },
      name: fieldName,
      value: { type: "string", minLength: 1, maxLength: maxValueLength },
    },
  };
}

const headerValues: JsonSchema = {
  type: "array",
  maxItems: 16,
  items: {
    type: "object",
    additionalProperties: false,
    required: ["name", "value"],
    properties: { name: fieldName, value: { type: "string", minLength: 1, maxLength: 4096 } },
  },
};

const headerModifier: JsonSchema = {
  type: "object",
  description: "Header fields to set, add and remove.",
  additionalProperties: false,
  properties: {
    set: headerValues,
    add: headerValues,
    remove: { type: "array", maxItems: 16, uniqueItems: true, items: { type: "string" } },
  },
};

const objectProperties: Readonly<Record<string, JsonSchema>> = {
  group: { ...group, default: "" },
  kind: { ...kind, default: "Service" },
  namespace: { ...namespace, description: "Default: the route's own." },
  name: objectName,
  port: { ...port, description: "Port of the Service." },
};

const objectReference: JsonSchema = {
  type: "object",
  additionalProperties: false,
  required: ["name"],
  properties: objectProperties,
};

const hostname: JsonSchema = { type: "string", minLength: 1, maxLength: 253, pattern: `^${SUBDOMAIN}$` };

const pathModifier: JsonSchema = {
  type: "object",
  description: "The new path; the query stays.",
  additionalProperties: false,
  required: ["type"],
  properties: {
    type: { type: "string", enum: ["ReplaceFullPath", "ReplacePrefixMatch"] },
    replaceFullPath: { type: "string", maxLength: 1024 },
    replacePrefixMatch: {
      type: "string",
      maxLength: 1024,
      description: "Takes the place of the path prefix of the rule's only match.",
    },
  },
};

const requestRedirect: JsonSchema = {
  type: "object",
  description: "Answers with a redirect; what is not given stays as in the request.",
  additionalProperties: false,
  properties: {
    scheme: { type: "string", enum: ["http", "https"] },
    hostname,
    path: pathModifier,
    port: {
      ...port,
      description: "Default: the well-known port of `scheme`; without `scheme` the port of the Service.",
    },
    statusCode: { type: "integer", enum: [301, 302, 303, 307, 308], default: 302 },
  },
};

const urlRewrite: JsonSchema = {
  type: "object",
  description: "Changes host and path of what the backend is asked for.",
  additionalProperties: false,
  properties: { hostname, path: pathModifier },
};

const requestMirror: JsonSchema = {
  type: "object",
  description: "Sends copies of requests to one more Service; what it answers is ignored.",
  additionalProperties: false,
  required: ["backendRef"],
  properties: {
    backendRef: objectReference,
    percent: { type: "integer", minimum: 0, maximum: 100, description: "Share that is copied. Default: all." },
    fraction: {
      type: "object",
      additionalProperties: false,
      required: ["numerator"],
      properties: {
        numerator: { type: "integer", minimum: 0, maximum: INT32 },
        denominator: { type: "integer", minimum: 1, maximum: INT32, default: 100 },
      },
    },
  },
};

const namesOr = (items: JsonSchema, maxItems: number): JsonSchema => ({
  type: "array",
  maxItems,
  uniqueItems: true,
  items,
});

const cors: JsonSchema = {
  type: "object",
  description: "Lets pages of other origins ask: answers preflights, marks responses.",
  additionalProperties: false,
  properties: {
    allowOrigins: namesOr(
      {
        type: "string",
        minLength: 1,
        maxLength: 253,
        pattern: "(^\\*$)|(^(http(s)?):\\/\\/(((\\*\\.)?([a-zA-Z0-9\\-]+\\.)*[a-zA-Z0-9-]+|\\*)(:([0-9]{1,5}))?)$)",
        "x-remedy": 'write "https://shop.example", "https://*.shop.example:8443" or "*"',
      },
      64,
    ),
    allowCredentials: { type: "boolean" },
    allowMethods: namesOr({ type: "string", enum: [...METHODS, "*"] }, 9),
    allowHeaders: namesOr(fieldName, 64),
    exposeHeaders: namesOr(fieldName, 64),
    maxAge: {
      type: "integer",
      minimum: 1,
      maximum: INT32,
      default: 5,
      description: "Seconds that a preflight may be remembered.",
    },
  },
};

const filter: JsonSchema = {
  type: "object",
  description: "One step that a request or response goes through.",
  additionalProperties: false,
  required: ["type"],
  properties: {
    type: { type: "string", enum: [...filterTypes] },
    requestHeaderModifier: headerModifier,
    responseHeaderModifier: headerModifier,
    requestMirror,
    requestRedirect,
    urlRewrite,
    extensionRef: later,
    cors,
  },
};

const parentRef: JsonSchema = {
  type: "object",
  additionalProperties: false,
  required: ["name"],
  properties: {
    group: { ...group, default: "gateway.networking.k8s.io", description: 'For a Service parent: "".' },
    kind: { ...kind, default: "Gateway", description: "Service; Gateway is not supported yet." },
    namespace: { ...namespace, description: "Default: the route's own." },
    name: objectName,
    sectionName: { ...sectionName, description: "Name of a port of the Service." },
    port: { ...port, description: "Port of the Service. Default: all of them." },
  },
};

const backendRef: JsonSchema = {
  ...objectReference,
  properties: {
    ...objectProperties,
    weight: { type: "integer", minimum: 0, maximum: 1_000_000, default: 1, description: "Relative share; 0 is none." },
    filters: { type: "array", maxItems: 16, items: filter },
  },
};

const match: JsonSchema = {
  type: "object",
  description: "All of what is given must match.",
  additionalProperties: false,
  properties: {
    path: {
      type: "object",
      additionalProperties: false,
      default: { type: "PathPrefix", value: "/" },
      properties: {
        type: { type: "string", enum: ["Exact", "PathPrefix", "RegularExpression"], default: "PathPrefix" },
        value: { type: "string", maxLength: 1024, default: "/" },
      },
    },
    method: { type: "string", enum: METHODS },
    headers: { type: "array", maxItems: 16, items: namedMatch(4096) },
    queryParams: { type: "array", maxItems: 16, items: namedMatch(1024) },
  },
};

const DEFAULT_MATCHES = [{ path: { type: "PathPrefix", value: "/" } }];

const rule: JsonSchema = {
  type: "object",
  description: "Requests that match one of `matches` go through `filters` to one of `backendRefs`.",
  additionalProperties: false,
  properties: {
    name: sectionName,
    matches: { type: "array", maxItems: 64, default: DEFAULT_MATCHES, items: match },
    filters: { type: "array", maxItems: 16, items: filter },
    backendRefs: { type: "array", maxItems: 16, items: backendRef },
    timeouts: {
      type: "object",
      additionalProperties: false,
      properties: {
        request: { ...duration, description: "For the whole request with its retries; 0s is no limit." },
        backendRequest: { ...duration, description: "For each try; 0s is no limit." },
      },
    },
    retry: {
      type: "object",
      description: "What is tried again, within the retry budget of the Service.",
      additionalProperties: false,
      properties: {
        codes: {
          type: "array",
          uniqueItems: true,
          items: { type: "integer", minimum: 400, maximum: 599 },
          description: "Statuses that are tried again. Connections that could not be made always are.",
        },
        attempts: { type: "integer", minimum: 1, maximum: INT32, description: "Most retries of one request." },
        backoff: { ...duration, description: "Least time before the next try; it doubles with each." },
      },
    },
    sessionPersistence: sessionPersistenceSchema,
  },
};

/** Schema of HTTPRoute.spec. */
export const httpRouteSchema: JsonSchema = {
  type: "object",
  description: "Where requests to a Service go, by path, method, header and query.",
  additionalProperties: false,
  properties: {
    parentRefs: {
      type: "array",
      maxItems: 32,
      items: parentRef,
      description: "The Services whose requests it routes.",
    },
    hostnames: {
      type: "array",
      maxItems: 16,
      description: "Means nothing for a Service parent.",
      items: { type: "string", minLength: 1, maxLength: 253, pattern: `^(\\*\\.)?${SUBDOMAIN}$` },
    },
    rules: {
      type: "array",
      minItems: 1,
      maxItems: 16,
      default: [{ matches: DEFAULT_MATCHES }],
      items: rule,
    },
  },
};

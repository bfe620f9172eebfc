// Schemas of the request bodies of joining (types in packages/model/src/api.ts).

import { compileSchema, type SchemaChecker } from "@ripstop/resources";

import { csrPemSchema, jwtSvidProperties, registerRequestSchema } from "../api/request-schemas.ts";

const MAX_TOKEN_MS = 30 * 24 * 3_600_000;
const MIN_TOKEN_MS = 10_000;
const dnsLabel = { type: "string", format: "dns-label" };
const nodeName = { type: "string", format: "dns-subdomain" };
const timeMs = { type: "integer", minimum: 0 };
const entry = { type: "string", minLength: 3, maxLength: 400 };
const evidence = {
  type: "object",
  required: ["type", "text"],
  properties: {
    type: { type: "string", enum: ["token", "jwt"] },
    text: { type: "string", minLength: 1, maxLength: 16_384 },
  },
};

/** JoinRequest. */
export const joinRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["evidence", "timeMs", "registration"],
  properties: { evidence, timeMs, registration: registerRequestSchema },
});

/** NodeJoinRequest. */
export const nodeJoinRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["evidence", "timeMs", "name", "csrPem"],
  properties: { evidence, timeMs, name: nodeName, csrPem: csrPemSchema },
});

/** WorkloadSvidRequest. */
export const workloadSvidRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["entry", "csrPem"],
  properties: { entry, csrPem: csrPemSchema },
});

/** NodeJwtRequest. */
export const nodeJwtRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["entry", "audience"],
  properties: { ...jwtSvidProperties, entry },
});

/** NodeWorkloadRequest. */
export const nodeWorkloadRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["entry", "registration"],
  properties: { entry, registration: registerRequestSchema },
});

/** JoinTokenRequest. */
export const joinTokenRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["ttlMs"],
  properties: {
    namespace: dnsLabel,
    serviceAccount: dnsLabel,
    node: nodeName,
    ttlMs: { type: "integer", minimum: MIN_TOKEN_MS, maximum: MAX_TOKEN_MS },
  },
});

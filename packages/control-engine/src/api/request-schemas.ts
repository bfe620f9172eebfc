// Schemas of the API's request bodies (types in packages/model/src/api.ts).

import { compileSchema, type JsonSchema, type SchemaChecker } from "@ripstop/resources";

import { MIN_PASSPHRASE } from "../backup/sealed-keys.ts";

const dnsLabel = { type: "string", format: "dns-label" };
const address = {
  type: "string",
  pattern: "^(\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9.-]{1,253}):[0-9]{1,5}$",
  "x-remedy": 'write "HOST:PORT"',
};
/** A CSR. */
export const csrPemSchema: JsonSchema = { type: "string", minLength: 1, maxLength: 16_384 };
const port = { type: "integer", minimum: 1, maximum: 65535 };

/** ApplyRequest. */
export const applyRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["documents"],
  properties: {
    documents: {
      type: "array",
      maxItems: 10_000,
      items: {
        type: "object",
        required: ["file", "text"],
        properties: { file: { type: "string", maxLength: 4096 }, text: { type: "string" } },
      },
    },
    author: { type: "string", maxLength: 256, default: "" },
    reason: { type: "string", maxLength: 4096, default: "" },
    dryRun: { type: "boolean", default: false },
  },
});

/** RollbackRequest. */
export const rollbackRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["to"],
  properties: {
    to: { type: "integer", minimum: 0 },
    only: {
      type: "object",
      required: ["kind", "namespace", "name"],
      properties: {
        kind: { type: "string", maxLength: 253 },
        namespace: { type: "string", maxLength: 253 },
        name: { type: "string", maxLength: 253 },
      },
    },
    author: { type: "string", maxLength: 256, default: "" },
    reason: { type: "string", maxLength: 4096, default: "" },
    dryRun: { type: "boolean", default: false },
  },
});

/** Schema of RegisterRequest. */
export const registerRequestSchema: JsonSchema = {
  type: "object",
  required: ["service", "namespace", "ports", "csrPem"],
  properties: {
    service: dnsLabel,
    namespace: dnsLabel,
    serviceAccount: dnsLabel,
    instance: dnsLabel,
    labels: {
      type: "object",
      maxProperties: 64,
      propertyNames: {
        pattern: "^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
      },
      additionalProperties: {
        type: "string",
        pattern: "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$",
        "x-remedy": "use at most 63 of letters, digits, -, _ and .",
      },
      default: {},
    },
    ports: {
      type: "array",
      maxItems: 64,
      items: {
        type: "object",
        required: ["port", "applicationAddress"],
        properties: {
          port,
          servicePort: port,
          protocol: { type: "string", enum: ["auto", "http", "http2", "grpc", "tcp", "tls"], default: "auto" },
          proxyProtocol: { type: "string", enum: ["v1", "v2"] },
          applicationAddress: address,
        },
      },
    },
    csrPem: csrPemSchema,
    pid: { type: "integer", minimum: 0, default: 0 },
    gateway: {
      type: "object",
      required: ["names", "address", "portOffset"],
      properties: {
        names: {
          type: "array",
          minItems: 1,
          maxItems: 64,
          items: {
            type: "string",
            maxLength: 253,
            pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
            "x-remedy": "write the name of a Gateway",
          },
        },
        address: { type: "string", maxLength: 64, pattern: "^[0-9A-Fa-f:.]+$", "x-remedy": "write an IP address" },
        portOffset: { type: "integer", minimum: 0, maximum: 65535 },
      },
    },
  },
};

/** RegisterRequest. */
export const registerRequest: SchemaChecker = compileSchema(registerRequestSchema);

/** WorkloadStatus. */
export const workloadStatus: SchemaChecker = compileSchema({
  type: "object",
  required: ["inboundAddress", "ready"],
  properties: {
    inboundAddress: { ...address, pattern: `^$|${address.pattern}` },
    ready: { type: "boolean" },
    bundleSequence: { type: "integer", minimum: 0 },
    svidSerialNumber: { type: "string", pattern: "^[0-9a-f]{0,64}$", "x-remedy": "write it in hex" },
    closedPorts: {
      type: "array",
      maxItems: 256,
      items: {
        type: "object",
        required: ["gateway", "address", "port", "cause"],
        properties: {
          gateway: { type: "string", maxLength: 253 },
          address: { type: "string", maxLength: 64, pattern: "^[0-9A-Fa-f:.]+$", "x-remedy": "write an IP address" },
          port: { type: "integer", minimum: 1, maximum: 65535 },
          cause: { type: "string", maxLength: 1024 },
        },
      },
    },
  },
});

/** SvidRequest. */
export const svidRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["csrPem"],
  properties: { csrPem: csrPemSchema },
});

/** RotationRequest and RecoveryRequest. */
export const forceRequest: SchemaChecker = compileSchema({
  type: "object",
  properties: { force: { type: "boolean", default: false } },
});

const spiffeId = { type: "string", minLength: 1, maxLength: 2048 };

/** RevokeRequest. */
export const revokeRequest: SchemaChecker = compileSchema({
  type: "object",
  properties: {
    spiffeId,
    serialNumber: { type: "string", minLength: 1, maxLength: 128 },
    reason: { type: "string", maxLength: 256, default: "" },
    waitMs: { type: "integer", minimum: 0, maximum: 60_000, default: 5_000 },
  },
});

/** IssueRequest. */
export const issueRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["spiffeId", "csrPem"],
  properties: { spiffeId, csrPem: csrPemSchema, ttlMs: { type: "integer", minimum: 1 } },
});

/** Fields of a JwtSvidRequest. */
export const jwtSvidProperties: JsonSchema = {
  audience: { type: "array", minItems: 1, maxItems: 8, items: { type: "string", minLength: 1, maxLength: 512 } },
  ttlMs: { type: "integer", minimum: 10_000, maximum: 86_400_000 },
};

/** JwtSvidRequest. */
export const jwtSvidRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["audience"],
  properties: jwtSvidProperties,
});

/** AccessTokenRequest. */
export const accessTokenRequest: SchemaChecker = compileSchema({
  type: "object",
  required: ["name", "role", "ttlMs"],
  properties: {
    name: { type: "string", format: "dns-label", description: "What the token is for." },
    role: { type: "string", enum: ["viewer", "editor", "admin"] },
    namespaces: {
      type: "array",
      minItems: 1,
      maxItems: 256,
      items: dnsLabel,
      description: "Where the role holds; absent: in the whole mesh.",
    },
    ttlMs: { type: "integer", minimum: 60_000, maximum: 31_622_400_000, description: "Lifetime, 1 min to 366 d." },
  },
});

/** BackupRequest. */
export const backupRequest: SchemaChecker = compileSchema({
  type: "object",
  properties: {
    passphrase: {
      type: "string",
      minLength: MIN_PASSPHRASE,
      maxLength: 1024,
      description: "Takes the keys of the authority along, encrypted with it; on the socket only.",
    },
  },
});

// The API's description in OpenAPI 3.1, made from the catalogue of operations and the schemas of the kinds.

import type { JsonSchema, Kind } from "@ripstop/resources";

import { answerSchemas, ref } from "./operations/answer-schemas.ts";
import type { Operation } from "./operations/operation.ts";
import { operations } from "./operations.ts";

const NEEDED: Readonly<Record<Operation["access"], string>> = {
  public: "Everybody may ask.",
  caller: "Needs a token; what concerns a namespace needs a role there.",
  viewer: "Needs the role viewer in the whole mesh.",
  admin: "Needs the role admin.",
};

/** The document, as plain JSON data. */
export function openApiDocument(kinds: readonly Kind[], version: string): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [key, operation] of operations) {
    const [method = "", route = ""] = key.split(" ");
    const path = route.replaceAll(/:([a-z]+)/gi, "{$1}");
    paths[path] ??= {};
    paths[path][method.toLowerCase()] = describe(route, operation);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Ripstop control plane",
      version,
      description:
        "Resources, workloads, identities and telemetry of a mesh. Every answer with a status from 400 on is an ApiError.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [
      {
        url: "https://{address}",
        description:
          "The TLS listener (ripstop control --api-address); the Unix socket of the mesh home has the same routes",
        variables: { address: { default: "127.0.0.1:7446" } },
      },
    ],
    tags: [...new Set([...operations.values()].map(({ tag }) => tag))].map((name) => ({ name })),
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "An API token (ripstop access token create), or an ID token of a LoginIssuer",
        },
      },
      schemas: {
        ...answerSchemas,
        ...Object.fromEntries(kinds.map((kind) => [kind.kind, resourceSchema(kind)])),
      },
    },
  };
}

function describe(route: string, operation: Operation): JsonSchema {
  const { id, tag, summary, access, query = {}, body, bodyType, answer, answerType } = operation;
  const inPath = [...route.matchAll(/:([a-z]+)/gi)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(query).map(([name, { description, schema, required }]) => ({
    name,
    in: "query",
    description,
    schema,
    ...(required === true ? { required } : {}),
  }));
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: NEEDED[access],
    ...(access === "public" ? { security: [] } : {}),
    ...(inPath.length + inQuery.length === 0 ? {} : { parameters: [...inPath, ...inQuery] }),
    ...(body === undefined && bodyType === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { [bodyType ?? "application/json"]: { schema: body ?? { type: "string" } } },
          },
        }),
    responses: {
      "200": {
        description: "Done",
        content: { [answerType ?? "application/json"]: { schema: typeof answer === "string" ? ref(answer) : answer } },
      },
      default: { description: "Not done, and why", content: { "application/json": { schema: ref("#ApiError") } } },
    },
  };
}

/** A resource of a kind, as it is applied. */
function resourceSchema({ apiVersion, kind, namespaced, schema }: Kind): JsonSchema {
  return {
    type: "object",
    required: ["apiVersion", "kind", "metadata"],
    properties: {
      apiVersion: { const: apiVersion },
      kind: { const: kind },
      metadata: {
        allOf: [ref("#Metadata")],
        description: namespaced ? "It lives in a namespace." : "It lives in no namespace.",
      },
      spec: schema,
    },
  };
}

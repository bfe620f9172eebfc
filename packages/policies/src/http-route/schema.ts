// Schema of HTTPRoute.spec: the published one (Gateway API v1.6.1) with better words for what people get wrong.

import type { JsonSchema } from "@ripstop/resources";
import { httpRouteSchema as published } from "@ripstop/resources/gateway-api";

const REMEDIES: Readonly<Record<string, string>> = {
  allowOrigins: 'write "https://shop.example", "https://*.shop.example:8443" or "*"',
};

/** Schema of HTTPRoute.spec. */
export const httpRouteSchema: JsonSchema = withRemedies(published, "");

/** Adds the remedy of a list's name to the schema of its items. */
function withRemedies(schema: JsonSchema, name: string): JsonSchema {
  const { properties, items } = schema;
  const remedy = REMEDIES[name];
  return {
    ...schema,
    ...(isSchema(properties)
      ? {
          properties: Object.fromEntries(
            Object.entries(properties).map(([key, child]) => [key, isSchema(child) ? withRemedies(child, key) : child]),
          ),
        }
      : {}),
    ...(isSchema(items)
      ? { items: withRemedies(remedy === undefined ? items : { ...items, "x-remedy": remedy }, "") }
      : {}),
  };
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

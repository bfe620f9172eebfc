// What is said of one route of the API.

import type { JsonSchema } from "@ripstop/resources";

/**
 * Who may call: everybody ("public"); who proves to be somebody, its handler looks at the resources ("caller"); who has
 * a role in the whole mesh ("viewer", "admin").
 */
export type Access = "public" | "caller" | "viewer" | "admin";

/** A parameter of the query. */
export interface QueryParameter {
  readonly description: string;
  readonly schema: JsonSchema;
  readonly required?: boolean;
}

/** One route. */
export interface Operation {
  /** Unique, lower camel case. */
  readonly id: string;
  readonly tag: "resources" | "history" | "workloads" | "identity" | "observation" | "access" | "operation";
  readonly summary: string;
  readonly access: Access;
  readonly query?: Readonly<Record<string, QueryParameter>>;
  /** Schema of the JSON body. */
  readonly body?: JsonSchema;
  /** Media type of a body that is not JSON. */
  readonly bodyType?: string;
  /** Schema of the answer; names of `answerSchemas` by "#NAME". */
  readonly answer: JsonSchema | string;
  /** Media type of the answer; default application/json. */
  readonly answerType?: string;
  /** Too frequent to be worth a line in the audit log, or changes nothing. */
  readonly isUnrecorded?: boolean;
}

/** Operations by method and path. */
export type Operations = Readonly<Record<string, Operation>>;

/** Text of a query. */
export function text(description: string): QueryParameter {
  return { description, schema: { type: "string" } };
}

/** A whole number of a query. */
export function number(description: string, minimum: number = 0): QueryParameter {
  return { description, schema: { type: "integer", minimum } };
}

/** true or false in a query. */
export function flag(description: string): QueryParameter {
  return { description, schema: { type: "boolean" } };
}

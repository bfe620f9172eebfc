// Example (ripstop.mesh/v1alpha1): requests need a header.

import type { JsonSchema } from "@ripstop/resources";

/** Requests without the header are refused. */
export interface ExampleSpec {
  readonly header: string;
  /** One plain sentence for callers, without a full stop. */
  readonly reason: string;
}

/** Schema of Example.spec. */
export const exampleSchema: JsonSchema = {
  type: "object",
  description: "Requests without the header are refused.",
  additionalProperties: false,
  required: ["header"],
  properties: {
    header: {
      type: "string",
      minLength: 1,
      maxLength: 256,
      pattern: "^[A-Za-z0-9!#$%&'*+\\-.^_`|~]+$",
      "x-remedy": "write the name of a header field, such as x-tenant",
      description: "Name of the header field; case does not matter.",
    },
    reason: {
      type: "string",
      minLength: 1,
      maxLength: 200,
      default: "a header is missing",
      description: "One plain sentence for callers, without a full stop.",
    },
  },
};

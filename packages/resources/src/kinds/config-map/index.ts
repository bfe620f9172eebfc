// ConfigMap (core/v1): texts by key. BackendTLSPolicy and client validation read roots from the key ca.crt.

import type { Kind } from "../../kind.ts";
import type { Violation } from "../../violation.ts";

/** The body of a ConfigMap but for its metadata. */
export interface ConfigMapSpec {
  readonly data?: Readonly<Record<string, string>>;
  /** Values in base64. */
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}

type Problem = Pick<Violation, "path" | "message" | "remedy">;

/** Most characters of all values together, as in Kubernetes. */
const MAX_SIZE = 1_048_576;

const values = {
  type: "object",
  propertyNames: { pattern: "^[-._a-zA-Z0-9]+$", maxLength: 253 },
  additionalProperties: { type: "string" },
};

/** The kind ConfigMap. */
export const configMapKind: Kind<ConfigMapSpec> = {
  apiVersion: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  shortNames: ["cm"],
  namespaced: true,
  bodyFields: ["data", "binaryData", "immutable"],
  schema: {
    type: "object",
    properties: { data: values, binaryData: values, immutable: { type: "boolean" } },
  },
  validate({ spec }) {
    const { data = {}, binaryData = {} } = spec;
    const problems: Problem[] = Object.keys(data)
      .filter((key) => Object.hasOwn(binaryData, key))
      .map((key) => ({
        path: `binaryData[${JSON.stringify(key)}]`,
        message: `${key} is in data too`,
        remedy: "keep one of the two",
      }));
    const size = [...Object.values(data), ...Object.values(binaryData)].reduce((sum, value) => sum + value.length, 0);
    if (size > MAX_SIZE)
      problems.push({
        path: "data",
        message: `the values have ${size} characters`,
        remedy: `use at most ${MAX_SIZE} together`,
      });
    return problems;
  },
};

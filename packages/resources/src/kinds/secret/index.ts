// Secret (core/v1): certificates with their keys, and other bytes that are nobody's business. Stored with everything else in
// the mesh's home; never shown: what is printed holds a hash in place of each value.

import { createHash } from "node:crypto";

import type { Kind } from "../../kind.ts";
import type { Resource } from "../../resource.ts";
import type { Violation } from "../../violation.ts";

/** The body of a Secret but for its metadata. */
export interface SecretSpec {
  /** "kubernetes.io/tls" or "Opaque". */
  readonly type: string;
  /** Values in base64. */
  readonly data?: Readonly<Record<string, string>>;
  /** Values as text; of one key this wins over `data`. */
  readonly stringData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}

type Problem = Pick<Violation, "path" | "message" | "remedy">;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** Most bytes of all values together, as in Kubernetes. */
const MAX_BYTES = 1_048_576;

const values = {
  type: "object",
  propertyNames: { pattern: "^[-._a-zA-Z0-9]+$", maxLength: 253 },
  additionalProperties: { type: "string" },
};

/** The kind Secret. */
export const secretKind: Kind<SecretSpec> = {
  apiVersion: "v1",
  kind: "Secret",
  plural: "secrets",
  shortNames: [],
  namespaced: true,
  bodyFields: ["type", "data", "stringData", "immutable"],
  schema: {
    type: "object",
    properties: {
      type: { type: "string", enum: ["Opaque", "kubernetes.io/tls"], default: "Opaque" },
      data: values,
      stringData: values,
      immutable: { type: "boolean" },
    },
  },
  validate(secret) {
    return [...encodingProblems(secret.spec), ...tlsProblems(secret), ...sizeProblems(secret.spec)];
  },
  redact(spec) {
    const { data, stringData, ...rest } = spec;
    return {
      ...rest,
      ...(data === undefined ? {} : { data: hidden(data) }),
      ...(stringData === undefined ? {} : { stringData: hidden(stringData) }),
    };
  },
};

/** The bytes of one value; undefined when the Secret has no such key. */
export function secretValue(secret: Resource<SecretSpec>, key: string): Buffer | undefined {
  const { data = {}, stringData = {} } = secret.spec;
  const text = Object.hasOwn(stringData, key) ? stringData[key] : undefined;
  if (text !== undefined) return Buffer.from(text);
  const encoded = Object.hasOwn(data, key) ? data[key] : undefined;
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64");
}

/** So that two values can be told apart and an unchanged one be seen, and no more. */
function hidden(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => {
      const hash = createHash("sha256").update(value).digest("hex").slice(0, 12);
      return [key, `(hidden, sha256 ${hash})`];
    }),
  );
}

function encodingProblems({ data = {} }: SecretSpec): Problem[] {
  return Object.entries(data)
    .filter(([, value]) => !BASE64.test(value))
    .map(([key]) => ({
      path: `data[${JSON.stringify(key)}]`,
      message: `the value of ${key} is not base64`,
      remedy: "encode it (base64 -w0 FILE), or write it as text in stringData",
    }));
}

function tlsProblems(secret: Resource<SecretSpec>): Problem[] {
  if (secret.spec.type !== "kubernetes.io/tls") return [];
  return ["tls.crt", "tls.key"]
    .filter((key) => secretValue(secret, key) === undefined)
    .map((key) => ({
      path: `data[${JSON.stringify(key)}]`,
      message: `a Secret of type kubernetes.io/tls needs ${key}`,
      remedy: `add ${key}: PEM, in base64, or as text in stringData`,
    }));
}

function sizeProblems({ data = {}, stringData = {} }: SecretSpec): Problem[] {
  const size = [...Object.values(data), ...Object.values(stringData)].reduce((sum, value) => sum + value.length, 0);
  if (size <= MAX_BYTES) return [];
  return [{ path: "data", message: `the values have ${size} characters`, remedy: `use at most ${MAX_BYTES} together` }];
}

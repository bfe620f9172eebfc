// WorkloadIdentity: which proof gives an identity.

import { parseDurationMs } from "@ripstop/core";

import type { Kind } from "../../kind.ts";
import type { Violation } from "../../violation.ts";
import { workloadIdentitySchema, type WorkloadIdentitySpec } from "./schema.ts";

export type { JwtSelectorSpec, ProcessSelectorsSpec, WorkloadIdentitySpec } from "./schema.ts";

type Problem = Pick<Violation, "path" | "message" | "remedy">;

const MIN_TTL_MS = 10_000;
const MAX_TTL_MS = 24 * 3_600_000;
/** The mesh's own identities: nobody joins as one of them. */
export const RESERVED_NAMESPACE: string = "ripstop-system";

/** The kind WorkloadIdentity. */
export const workloadIdentityKind: Kind<WorkloadIdentitySpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "WorkloadIdentity",
  plural: "workloadidentities",
  shortNames: ["wi"],
  namespaced: true,
  schema: workloadIdentitySchema,
  validate({ metadata, spec }) {
    const problems: Problem[] = [];
    if (metadata.namespace === RESERVED_NAMESPACE) {
      problems.push({
        path: "metadata.namespace",
        message: `identities of ${RESERVED_NAMESPACE} are the mesh's own`,
        remedy: "use another namespace",
      });
    }
    if (spec.process === undefined && spec.jwt === undefined) {
      problems.push({
        path: "spec",
        message: "no proof is given, so nobody could have this identity",
        remedy: "give process, jwt or both",
      });
    }
    if (spec.process?.sha256 === undefined && spec.process?.executable?.endsWith(" (deleted)") === true) {
      problems.push({
        path: "spec.process.executable",
        message: "the path is of a program that was replaced while it ran",
        remedy: "write the path without (deleted)",
      });
    }
    if (spec.jwt !== undefined && spec.jwt.subject === undefined && spec.jwt.claims === undefined) {
      problems.push({
        path: "spec.jwt",
        message: "every token of the issuer would give this identity",
        remedy: "give a subject, claims or both",
      });
    }
    const ttlMs = spec.ttl === undefined ? undefined : parseDurationMs(spec.ttl);
    if (ttlMs?.ok === true && (ttlMs.value < MIN_TTL_MS || ttlMs.value > MAX_TTL_MS)) {
      problems.push({ path: "spec.ttl", message: `ttl is ${spec.ttl}`, remedy: "use 10s to 24h" });
    }
    return problems;
  },
  validateReferences({ spec }, lookup) {
    if (spec.jwt === undefined || lookup.get("TokenIssuer", "", spec.jwt.issuer) !== undefined) return [];
    return [
      {
        path: "spec.jwt.issuer",
        message: `there is no TokenIssuer ${JSON.stringify(spec.jwt.issuer)}`,
        remedy: "apply it before this or together with it",
      },
    ];
  },
};

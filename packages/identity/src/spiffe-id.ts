// SPIFFE ids (SPIFFE-ID standard §2). Ripstop's own have the path /ns/NAMESPACE/sa/SERVICE-ACCOUNT.

import { err, ok, type Result } from "@ripstop/core";

/** A parsed SPIFFE id. */
export interface SpiffeId {
  /** The whole text; ids are equal exactly when their texts are. */
  readonly uri: string;
  readonly trustDomain: string;
  /** With its leading slash; "" for a trust domain id. */
  readonly path: string;
}

const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;
const MAX_BYTES = 2048;

/** Parses a SPIFFE id strictly: nothing is normalised, so that two spellings never mean one identity. */
export function parseSpiffeId(text: string): Result<SpiffeId, string> {
  if (text.length > MAX_BYTES) return err(`a SPIFFE id has at most ${MAX_BYTES} bytes`);
  if (!text.startsWith("spiffe://")) return err("a SPIFFE id starts with spiffe:// in lower case");
  const rest = text.slice("spiffe://".length);
  const slash = rest.indexOf("/");
  const trustDomain = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? "" : rest.slice(slash);
  if (!TRUST_DOMAIN.test(trustDomain)) {
    return err("the trust domain has 1 to 255 of a-z, 0-9, dot, dash and underscore, and no port or user");
  }
  if (path !== "") {
    for (const segment of path.slice(1).split("/")) {
      if (segment === "." || segment === "..") return err("a path segment may not be . or ..");
      if (!SEGMENT.test(segment))
        return err("path segments are not empty and hold only letters, digits, dot, dash and underscore");
    }
  }
  return ok({ uri: text, trustDomain, path });
}

/** The id of a workload: spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT. */
export function workloadSpiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** Namespace and service account of a workload id, or undefined when the path has another shape. */
export function workloadOf(uri: string): { readonly namespace: string; readonly serviceAccount: string } | undefined {
  const match = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(uri);
  return match?.[1] !== undefined && match[2] !== undefined
    ? { namespace: match[1], serviceAccount: match[2] }
    : undefined;
}

/** The id of a host's agent: spiffe://TRUST-DOMAIN/node/NAME. */
export function nodeSpiffeId(trustDomain: string, name: string): string {
  return `spiffe://${trustDomain}/node/${name}`;
}

/** Who the control plane is. */
export function controlSpiffeId(trustDomain: string): string {
  return workloadSpiffeId(trustDomain, "ripstop-system", "control");
}

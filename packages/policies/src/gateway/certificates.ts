// Certificates and roots that Gateways and policies refer to: found, permitted, and readable, or why not.

import { createPrivateKey, X509Certificate } from "node:crypto";

import { err, ok, type Result } from "@ripstop/core";
import { secretValue, type ConfigMapSpec, type Resource, type SecretSpec } from "@ripstop/resources";

import { isGranted, type ReferenceGrantSpec } from "../reference-grant/index.ts";
import { GATEWAY_GROUP } from "./condition.ts";
import type { ObjectRef } from "./spec.ts";

/** Finds what references name. */
export interface ReferenceFacts {
  resource(kind: string, namespace: string, name: string): Resource | undefined;
  /** The ReferenceGrants of a namespace. */
  grants(namespace: string): readonly Resource<ReferenceGrantSpec>[];
}

/** Who refers: a resource of the Gateway API's group. */
export interface Referrer {
  readonly kind: string;
  readonly namespace: string;
}

/** Why a reference cannot be used. */
export interface ReferenceProblem {
  readonly cause: "kind" | "missing" | "not-permitted" | "malformed";
  readonly message: string;
}

/** A certificate chain with its key, PEM. */
export interface PemKeyPair {
  readonly chainPem: string;
  readonly keyPem: string;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const MAX_CERTIFICATES = 100;

/** The key pair of the Secret that `ref` names. */
export function readKeyPair(
  ref: ObjectRef,
  from: Referrer,
  facts: ReferenceFacts,
): Result<PemKeyPair, ReferenceProblem> {
  const found = find(ref, from, { facts, kind: "Secret" });
  if (!found.ok) return found;
  const secret = found.value as Resource<SecretSpec>;
  const name = `Secret ${secret.metadata.namespace}/${secret.metadata.name}`;
  const [chainPem, keyPem] = [secretValue(secret, "tls.crt")?.toString(), secretValue(secret, "tls.key")?.toString()];
  if (chainPem === undefined || keyPem === undefined)
    return err({ cause: "malformed", message: `${name} has no tls.crt and tls.key` });
  const problem = keyPairProblem(chainPem, keyPem);
  return problem === undefined ? ok({ chainPem, keyPem }) : err({ cause: "malformed", message: `${name}: ${problem}` });
}

/** The roots in the key ca.crt of the ConfigMap that `ref` names, PEM. */
export function readRoots(ref: ObjectRef, from: Referrer, facts: ReferenceFacts): Result<string, ReferenceProblem> {
  const found = find(ref, from, { facts, kind: "ConfigMap" });
  if (!found.ok) return found;
  const { metadata, spec } = found.value as Resource<ConfigMapSpec>;
  const name = `ConfigMap ${metadata.namespace}/${metadata.name}`;
  const pem = spec.data?.["ca.crt"];
  if (pem === undefined) return err({ cause: "malformed", message: `${name} has no key ca.crt` });
  const certificates = pem.match(CERTIFICATE) ?? [];
  if (certificates.length === 0 || certificates.length > MAX_CERTIFICATES)
    return err({ cause: "malformed", message: `${name} holds ${certificates.length} certificates in ca.crt` });
  if (certificates.some((certificate) => parseCertificate(certificate) === undefined))
    return err({ cause: "malformed", message: `${name} holds something in ca.crt that is no certificate` });
  return ok(`${certificates.join("\n")}\n`);
}

function find(
  ref: ObjectRef,
  from: Referrer,
  { facts, kind }: { readonly facts: ReferenceFacts; readonly kind: string },
): Result<Resource, ReferenceProblem> {
  const namespace = ref.namespace ?? from.namespace;
  const named = `${ref.kind} ${namespace}/${ref.name}`;
  if (ref.group !== "" || ref.kind !== kind) {
    return err({ cause: "kind", message: `${named} is not of kind ${kind}` });
  }
  const reference = {
    from: { group: GATEWAY_GROUP, ...from },
    to: { group: ref.group, kind: ref.kind, name: ref.name },
  };
  if (namespace !== from.namespace && !isGranted(reference, facts.grants(namespace))) {
    const message = `no ReferenceGrant in ${namespace} lets a ${from.kind} of ${from.namespace} use ${named}`;
    return err({ cause: "not-permitted", message });
  }
  const found = facts.resource(kind, namespace, ref.name);
  return found === undefined ? err({ cause: "missing", message: `there is no ${named}` }) : ok(found);
}

/** Why the two do not make a key pair; never says anything of the key itself. */
function keyPairProblem(chainPem: string, keyPem: string): string | undefined {
  const leaf = parseCertificate(chainPem);
  if (leaf === undefined) return "tls.crt does not begin with a certificate in PEM";
  try {
    return leaf.checkPrivateKey(createPrivateKey(keyPem)) ? undefined : "tls.key is not the key of tls.crt";
  } catch {
    return "tls.key is not a private key in PEM";
  }
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

// Identities as the command line and the dashboard show them.

import { X509Certificate } from "node:crypto";

import type { Clock } from "@ripstop/core";
import { pemToDer } from "@ripstop/identity";
import type { Authority } from "@ripstop/identity/authority";
import type { CertificateView, IdentityDetails, IdentityList, IdentityView, RevocationView } from "@ripstop/model";
import { normalSerialNumber } from "@ripstop/net";

import type { Compiler } from "../compile/compiler.ts";
import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import type { Registry } from "../registry/registry.ts";
import type { IssuedIdentities, IssuedIdentity } from "./issued-identities.ts";
import type { Revocations } from "./revocations.ts";

/** What the views are made of. */
export interface IdentityViewParts {
  readonly authority: Authority;
  readonly registry: Registry;
  readonly revocations: Revocations;
  readonly issued: IssuedIdentities;
  readonly compiler: Compiler;
  readonly clock: Clock;
}

/** An SVID that has less than this share of its life left was not renewed at half life, nor at the tries after it. */
const OVERDUE_SHARE = 0.25;
const MAX_DEPTH = 5;

/** All identities and who vouches for them. */
export function identityList(parts: IdentityViewParts): IdentityList {
  const { authority, registry, revocations, issued, clock } = parts;
  const byId = new Map<string, RegisteredWorkload[]>();
  for (const workload of registry.list()) {
    const same = byId.get(workload.spiffeId);
    if (same === undefined) byId.set(workload.spiffeId, [workload]);
    else same.push(workload);
  }
  const nowMs = clock.nowMs();
  const bundle = authority.bundle();
  return {
    trustDomain: authority.trustDomain,
    timeMs: nowMs,
    authorities: [...certificatesOf(bundle.pem, true), ...intermediates(issued)],
    identities: issued.list().map((identity) => view(identity, byId.get(identity.spiffeId) ?? [], parts)),
    revocations: revocations.views(),
  };
}

/** One identity in full. */
export function identityDetails(identity: IssuedIdentity, parts: IdentityViewParts): IdentityDetails {
  const { authority, registry, revocations, compiler, clock } = parts;
  const nowMs = clock.nowMs();
  const workloads = registry.list().filter(({ spiffeId }) => spiffeId === identity.spiffeId);
  const valid = identity.certificates.filter(({ notAfterMs }) => notAfterMs > nowMs);
  const chains = valid.map(({ chainPem }) => certificatesOf(chainPem, false));
  const world = compiler.world.view(() => undefined);
  return {
    ...view(identity, workloads, parts),
    certificates: chains.flatMap(([leaf]) =>
      leaf === undefined
        ? []
        : [{ ...leaf, revocation: revocationView(revocations, identity.spiffeId, leaf.serialNumber) }],
    ),
    chain: chainAbove(chains[0] ?? [], certificatesOf(authority.bundle().pem, true)),
    callers: workloads.map((workload) => ({
      workload: workload.id,
      policies: world.policiesGuarding(workload).map((name) => ({ name, ...rulesOf(world.resource(name)?.spec) })),
    })),
  };
}

function view(
  identity: IssuedIdentity,
  workloads: readonly RegisteredWorkload[],
  { revocations, clock }: IdentityViewParts,
): IdentityView {
  const nowMs = clock.nowMs();
  const [newest] = identity.certificates;
  const lifeMs = newest === undefined ? 0 : newest.notAfterMs - newest.issuedMs;
  const overdue = workloads.find(({ svidNotAfterMs }) => svidNotAfterMs - nowMs < lifeMs * OVERDUE_SHARE);
  return {
    spiffeId: identity.spiffeId,
    workloads: workloads.map(({ id }) => id),
    issued: identity.issued,
    serialNumber: newest === undefined ? "" : normalSerialNumber(newest.serialNumber),
    issuedMs: newest?.issuedMs ?? 0,
    notAfterMs: newest !== undefined && newest.notAfterMs > nowMs ? newest.notAfterMs : 0,
    overdue: overdue?.id ?? "",
    revocation: revocationView(revocations, identity.spiffeId, newest?.serialNumber ?? ""),
  };
}

function revocationView(revocations: Revocations, spiffeId: string, serialNumber: string): RevocationView | undefined {
  const found = revocations.find(spiffeId, serialNumber);
  return (
    found &&
    revocations.views().find((one) => one.spiffeId === found.spiffeId && one.serialNumber === found.serialNumber)
  );
}

/** Intermediates of the newest certificates; a mesh has one or two at a time. */
function intermediates(issued: IssuedIdentities): readonly CertificateView[] {
  const chains = new Set<string>();
  for (const { certificates } of issued.list()) {
    const [newest] = certificates;
    if (newest !== undefined) chains.add(aboveLeaf(newest.chainPem));
  }
  const found = new Map<string, CertificateView>();
  for (const chain of chains) for (const one of certificatesOf(chain, true)) found.set(one.sha256, one);
  return [...found.values()];
}

const END = "-----END CERTIFICATE-----\n";

function aboveLeaf(chainPem: string): string {
  const end = chainPem.indexOf(END);
  return end < 0 ? "" : chainPem.slice(end + END.length);
}

function certificatesOf(pem: string, authoritiesOnly: boolean): readonly CertificateView[] {
  const ders = pemToDer(pem);
  if (!ders.ok) return [];
  return ders.value
    .map((der) => certificateView(new X509Certificate(der)))
    .filter(({ kind }) => !authoritiesOnly || kind !== "leaf");
}

function certificateView(certificate: X509Certificate): CertificateView {
  const { asymmetricKeyType = "", asymmetricKeyDetails: details } = certificate.publicKey;
  return {
    serialNumber: normalSerialNumber(certificate.serialNumber),
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    sha256: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    key: `${asymmetricKeyType.toUpperCase()} ${details?.namedCurve ?? details?.modulusLength ?? ""}`.trim(),
    kind: !certificate.ca ? "leaf" : certificate.subject === certificate.issuer ? "root" : "intermediate",
  };
}

function oneLine(name: string | undefined): string {
  return (name ?? "").replaceAll("\n", ", ");
}

/** From the leaf's issuer up to a root, by names: the signatures were made here. */
function chainAbove(chain: readonly CertificateView[], roots: readonly CertificateView[]): readonly CertificateView[] {
  const [leaf, ...above] = chain;
  const found: CertificateView[] = [];
  let current = leaf;
  while (current !== undefined && current.subject !== current.issuer && found.length < MAX_DEPTH) {
    const { issuer }: CertificateView = current;
    current = [...above, ...roots].find(({ subject }) => subject === issuer);
    if (current !== undefined) found.push(current);
  }
  return found;
}

/** What a policy says about callers, in short. */
function rulesOf(spec: unknown): { readonly action: string; readonly from: readonly string[] } {
  const action = field(spec, "action");
  const rules = list(field(spec, "rules"));
  return {
    action: typeof action === "string" ? action : "",
    from: rules.flatMap((rule) =>
      list(field(rule, "from")).map((from) =>
        ["principals", "namespaces", "serviceAccounts"]
          .map((name) => ({ name, values: list(field(from, name)).map(String) }))
          .filter(({ values }) => values.length > 0)
          .map(({ name, values }) => `${name} ${values.join(", ")}`)
          .join(" and "),
      ),
    ),
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

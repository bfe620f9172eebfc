// Chains of certificates: who signed, who may, and for whom.

import { systemClock } from "@ripstop/core";
import * as asn from "@peculiar/asn1-x509";
import {
  basicConstraints,
  ecKey,
  extension,
  keyUsage,
  makeCa,
  makeCertificate,
  oids,
  uriName,
  type LabCa,
  type Presented,
} from "../certificate-lab.ts";
import type { CertificateCase, HostileWorld } from "./certificate-case.ts";
import { leaf, peerId, under } from "./presented.ts";

const { KeyUsageFlags: Usage } = asn;

const MINUTE = 60_000;

function federatedLeaf({ federated, root }: HostileWorld): Presented {
  const issuer = federated?.intermediate ?? root;
  const made = makeCertificate(peerId(federated?.trustDomain ?? ""), { issuer });
  return { chain: [made.der, issuer.der], key: made.key };
}

function constraint(kind: "permitted" | "excluded", host: string): asn.Extension {
  const tree = [new asn.GeneralSubtree({ base: uriName(host) })];
  const fields =
    kind === "permitted"
      ? { permittedSubtrees: new asn.GeneralSubtrees(tree) }
      : { excludedSubtrees: new asn.GeneralSubtrees(tree) };
  return extension(oids.nameConstraints, true, new asn.NameConstraints(fields));
}

/** Rows on chains. */
export const chains: readonly CertificateCase[] = [
  {
    group: "chains",
    title: "no certificate",
    verdict: "no_certificate",
    make: () => ({ chain: [], key: ecKey() }),
  },
  {
    group: "chains",
    title: "a self-signed leaf",
    verdict: "untrusted_chain",
    make: (world) => {
      const key = ecKey();
      const self: LabCa = { subject: "O=Test", key, der: Buffer.alloc(0) };
      return { chain: [makeCertificate(peerId(world.trustDomain), { issuer: self, key }).der], key };
    },
  },
  {
    group: "chains",
    title: "another root with the same subject",
    verdict: "bad_signature",
    make: under(({ trustDomain, root }) => [makeCa(trustDomain, { subject: root.subject })]),
  },
  {
    group: "chains",
    title: "another intermediate with the same subject",
    verdict: "bad_signature",
    make: under(({ trustDomain, root, intermediate }) => [
      makeCa(trustDomain, {
        subject: intermediate.subject,
        parent: makeCa(trustDomain, { subject: root.subject }),
        pathLength: 0,
      }),
    ]),
  },
  {
    group: "chains",
    title: "the intermediate left out",
    verdict: "untrusted_chain",
    make: (world) => {
      const { chain, key } = leaf({})(world);
      return { chain: chain.slice(0, 1), key };
    },
  },
  {
    group: "chains",
    title: "a leaf signed by a leaf",
    verdict: "untrusted_chain",
    make: (world) => {
      const honest = makeCertificate(peerId(world.trustDomain), { issuer: world.intermediate, subject: "O=Leaf" });
      const issuer: LabCa = { subject: "O=Leaf", key: honest.key, der: honest.der };
      const forged = makeCertificate(`spiffe://${world.trustDomain}/ns/shop/sa/admin`, { issuer });
      return { chain: [forged.der, honest.der, world.intermediate.der], key: forged.key };
    },
  },
  {
    group: "chains",
    title: "an intermediate below one that may have none (path length)",
    verdict: "untrusted_chain",
    make: under(({ trustDomain, intermediate }) => [
      makeCa(trustDomain, { subject: "CN=Below", parent: intermediate, pathLength: 0 }),
      intermediate,
    ]),
  },
  {
    group: "chains",
    title: "three intermediates",
    verdict: "untrusted_chain",
    make: under(({ trustDomain, root }) => {
      const first = makeCa(trustDomain, { subject: "CN=1", parent: root });
      const second = makeCa(trustDomain, { subject: "CN=2", parent: first });
      return [makeCa(trustDomain, { subject: "CN=3", parent: second }), second, first];
    }),
  },
  {
    group: "chains",
    title: "a chain of twelve",
    verdict: "untrusted_chain",
    make: under(({ trustDomain, root }) => {
      const found: LabCa[] = [];
      let parent = root;
      for (let at = 0; at < 12; at++) {
        parent = makeCa(trustDomain, { subject: `CN=${at}`, parent });
        found.unshift(parent);
      }
      return found;
    }),
  },
  {
    group: "chains",
    title: "an intermediate that is no authority",
    verdict: "wrong_usage",
    make: under(({ trustDomain, root }) => [
      makeCa(trustDomain, { parent: root, extensions: { [oids.basicConstraints]: basicConstraints(false) } }),
    ]),
  },
  {
    group: "chains",
    title: "an intermediate whose key may not sign certificates",
    verdict: "untrusted_chain",
    make: under(({ trustDomain, root }) => [
      makeCa(trustDomain, { parent: root, extensions: { [oids.keyUsage]: keyUsage(Usage.digitalSignature) } }),
    ]),
  },
  {
    group: "chains",
    title: "an expired intermediate",
    verdict: "expired",
    make: under(({ trustDomain, root }) => [
      makeCa(trustDomain, { parent: root, pathLength: 0, notAfterMs: systemClock.nowMs() - MINUTE }),
    ]),
  },
  {
    group: "chains",
    title: "an intermediate that may sign for another host only (name constraints)",
    verdict: "untrusted_chain",
    make: under(({ trustDomain, root }) => [
      makeCa(trustDomain, {
        parent: root,
        pathLength: 0,
        extensions: { [oids.nameConstraints]: constraint("permitted", "elsewhere.example") },
      }),
    ]),
  },
  {
    group: "chains",
    title: "an intermediate that may not sign for the trust domain (name constraints)",
    verdict: "untrusted_chain",
    make: under(({ trustDomain, root }) => [
      makeCa(trustDomain, {
        parent: root,
        pathLength: 0,
        extensions: { [oids.nameConstraints]: constraint("excluded", trustDomain) },
      }),
    ]),
  },
  {
    group: "chains",
    title: "an intermediate that may sign for the trust domain (name constraints)",
    claims: "own",
    verdict: "accepted",
    make: under(({ trustDomain, root }) => [
      makeCa(trustDomain, {
        parent: root,
        pathLength: 0,
        extensions: { [oids.nameConstraints]: constraint("permitted", trustDomain) },
      }),
    ]),
  },
  {
    group: "chains",
    title: "strangers' certificates after the chain",
    verdict: "accepted",
    make: (world) => {
      const { chain, key } = leaf({})(world);
      return { chain: [...chain, makeCa("elsewhere.example").der, makeCa("nowhere.example").der], key };
    },
  },
  {
    group: "chains",
    title: "an id of a trust domain without bundle, signed by ours",
    verdict: "unknown_trust_domain",
    says: /no trust bundle for elsewhere.example/,
    make: leaf({ names: [uriName("spiffe://elsewhere.example/ns/shop/sa/web")] }),
  },
  {
    group: "chains",
    title: "an id of a federated domain, signed by its own authority",
    claims: "federated",
    verdict: "accepted",
    needsFederation: true,
    make: federatedLeaf,
  },
  {
    group: "chains",
    title: "an id of ours, signed by a federated authority, from a peer that says it is of ours",
    verdict: "untrusted_chain",
    needsFederation: true,
    claims: "own",
    make: under(({ federated }) => (federated ? [federated.intermediate] : [])),
  },
  {
    group: "chains",
    title: "an id of ours, signed by a federated authority, from a peer that says it is of that one",
    verdict: "wrong_trust_domain",
    needsFederation: true,
    claims: "federated",
    make: under(({ federated }) => (federated ? [federated.intermediate] : [])),
  },
  {
    group: "chains",
    title: "an id of a federated domain, signed by ours, from a peer that says it is of ours",
    verdict: "wrong_trust_domain",
    needsFederation: true,
    claims: "own",
    make: leaf(({ federated }) => ({ names: [uriName(peerId(federated?.trustDomain ?? ""))] })),
  },
  {
    group: "chains",
    title: "an id of a federated domain, signed by ours",
    verdict: "wrong_trust_domain",
    says: /not issued by a root of its own trust domain/,
    needsFederation: true,
    make: leaf(({ federated }) => ({ names: [uriName(peerId(federated?.trustDomain ?? ""))] })),
  },
  {
    group: "chains",
    title: "an id of ours, signed by a federated intermediate",
    verdict: "wrong_trust_domain",
    needsFederation: true,
    make: under(({ federated }) => (federated ? [federated.intermediate] : [])),
  },
  {
    group: "chains",
    title: "an id of ours, signed by a federated root",
    verdict: "wrong_trust_domain",
    needsFederation: true,
    make: under(({ federated }) => (federated ? [federated.root] : [])),
  },
  {
    group: "chains",
    title: "an id of a federated domain, under an intermediate of that name that we signed",
    verdict: "wrong_trust_domain",
    needsFederation: true,
    make: (world) => {
      const { federated, root } = world;
      const forged = makeCa(federated?.trustDomain ?? "", { parent: root, pathLength: 0 });
      const made = makeCertificate(peerId(federated?.trustDomain ?? ""), { issuer: forged });
      return { chain: [made.der, forged.der], key: made.key };
    },
  },
  {
    group: "chains",
    title: "an id of a federated domain, signed by ours, with the federated intermediate in the chain",
    verdict: "wrong_trust_domain",
    needsFederation: true,
    make: (world) => {
      const made = makeCertificate(peerId(world.federated?.trustDomain ?? ""), { issuer: world.intermediate });
      const above = world.federated ? [world.federated.intermediate.der] : [];
      return { chain: [made.der, world.intermediate.der, ...above], key: made.key };
    },
  },
];

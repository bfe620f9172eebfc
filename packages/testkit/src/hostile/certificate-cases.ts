// The table of hostile certificates: what a peer presents, and what must become of it. Generated into
// docs/reference/hostile-certificates.md; tests make each one and shake hands with it.

import { randomBytes } from "node:crypto";
import { systemClock } from "@ripstop/core";
import * as asn from "@peculiar/asn1-x509";
import {
  basicConstraints,
  contentsOf,
  der,
  ecKey,
  extendedKeyUsage,
  extension,
  keyUsage,
  makeCa,
  makeCertificate,
  oids,
  rawExtension,
  rsaKey,
  uriName,
  type CertificateShape,
  type LabCa,
  type Presented,
} from "./certificate-lab.ts";

/** Who signs in a test. */
export interface HostileWorld {
  readonly trustDomain: string;
  /** Trusted for `trustDomain`. */
  readonly root: LabCa;
  /** Under `root`; signs leaves. */
  readonly intermediate: LabCa;
  /** Trusted for its own domain only; undefined where the tested side has no federation. */
  readonly federated: { readonly trustDomain: string; readonly root: LabCa; readonly intermediate: LabCa } | undefined;
}

/** One row. */
export interface CertificateCase {
  readonly group: "names" | "usages" | "chains" | "time" | "keys and signatures" | "encodings";
  readonly title: string;
  /** "accepted", or the reason of the refusal as the metric counts it. */
  readonly verdict: string;
  /** What the refusal must say. */
  readonly says?: RegExp;
  readonly needsFederation?: boolean;
  /** The trust domain that the peer says it is of: in the server name. Default: it does not say. */
  readonly claims?: "own" | "federated";
  /** The handshake is signed with this key, not the leaf's. */
  readonly stolen?: boolean;
  make(world: HostileWorld): Presented;
}

/**
 * The verdicts that a row may get. Of an extension that it cannot read OpenSSL says so or says that no issuer was found:
 * that depends on whether the certificate is read with what follows it in the handshake, or before.
 */
export function verdictsOf({ verdict }: Pick<CertificateCase, "verdict">): readonly string[] {
  return verdict === "malformed_certificate" ? [verdict, "untrusted_chain"] : [verdict];
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const { KeyUsageFlags: Usage } = asn;
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_USAGE = "2.5.29.37.0";
const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
/** An id that nobody registered. */
const UNKNOWN_OID = "1.3.6.1.4.1.99999.1";

/** The id of the peer in the table. */
export function peerId(trustDomain: string): string {
  return `spiffe://${trustDomain}/ns/shop/sa/web`;
}

type Shape = Omit<CertificateShape, "issuer">;

/** A leaf of the intermediate that differs from a correct one. */
function leaf(shape: Shape | ((world: HostileWorld) => Shape)): (world: HostileWorld) => Presented {
  return (world) => {
    const wanted = typeof shape === "function" ? shape(world) : shape;
    const { der: leafDer, key } = makeCertificate(peerId(world.trustDomain), {
      issuer: world.intermediate,
      ...wanted,
    });
    return { chain: [leafDer, world.intermediate.der], key };
  };
}

/** A leaf with a single name made of the trust domain. */
function named(uri: (trustDomain: string) => string): (world: HostileWorld) => Presented {
  return leaf(({ trustDomain }) => ({ names: [uriName(uri(trustDomain))] }));
}

/** A leaf under CAs of the test's own making. */
function under(cas: (world: HostileWorld) => readonly LabCa[], shape: Shape = {}): (world: HostileWorld) => Presented {
  return (world) => {
    const [issuer, ...above] = cas(world);
    const made = makeCertificate(peerId(world.trustDomain), { issuer: issuer ?? world.root, ...shape });
    return {
      chain: [made.der, ...(issuer === undefined ? [] : [issuer.der]), ...above.map((ca) => ca.der)],
      key: made.key,
    };
  };
}

/** A correct leaf whose bytes are changed after it was signed. */
function encoded(change: (certificate: Buffer) => Buffer): (world: HostileWorld) => Presented {
  return (world) => {
    const { chain, key } = leaf({})(world);
    const [first = Buffer.alloc(0), ...rest] = chain;
    return { chain: [change(first), ...rest], key };
  };
}

function dns(name: string): asn.GeneralName {
  return new asn.GeneralName({ dNSName: name });
}

/** Replaces one byte sequence that occurs once. */
function replaced(bytes: Buffer, from: Buffer, to: Buffer): Buffer {
  const at = bytes.indexOf(from);
  return at < 0 ? bytes : Buffer.concat([bytes.subarray(0, at), to, bytes.subarray(at + from.length)]);
}

function malformedId(title: string, uri: (trustDomain: string) => string): CertificateCase {
  return { group: "names", title, verdict: "malformed_spiffe_id", says: /no SPIFFE id|no workload/, make: named(uri) };
}

const names: readonly CertificateCase[] = [
  { group: "names", title: "a correct SVID", verdict: "accepted", make: leaf({}) },
  {
    group: "names",
    title: "DNS names beside the id",
    verdict: "accepted",
    make: leaf(({ trustDomain }) => ({ names: [uriName(peerId(trustDomain)), dns("web.shop"), dns("other")] })),
  },
  {
    group: "names",
    title: "a SAN that is not critical",
    verdict: "accepted",
    make: leaf(({ trustDomain }) => ({
      extensions: {
        [oids.subjectAltName]: extension(
          oids.subjectAltName,
          false,
          new asn.SubjectAlternativeName([uriName(peerId(trustDomain))]),
        ),
      },
    })),
  },
  malformedId("NUL at the end of the path", (td) => `${peerId(td)}\0`),
  malformedId("NUL in the trust domain", (td) => `spiffe://${td}\0.evil/ns/shop/sa/web`),
  malformedId("a scheme in capitals", (td) => `SPIFFE://${td}/ns/shop/sa/web`),
  malformedId("a trust domain in capitals", (td) => `spiffe://${td.toUpperCase()}/ns/shop/sa/web`),
  malformedId("percent-encoding in the path", (td) => `spiffe://${td}/ns/shop/sa/%77eb`),
  malformedId("a percent-encoded slash", (td) => `spiffe://${td}/ns/shop%2fsa/web`),
  malformedId("a query", (td) => `${peerId(td)}?x=1`),
  malformedId("a fragment", (td) => `${peerId(td)}#x`),
  malformedId("a port", (td) => `spiffe://${td}:443/ns/shop/sa/web`),
  malformedId("a user", (td) => `spiffe://root@${td}/ns/shop/sa/web`),
  malformedId("a trailing slash", (td) => `${peerId(td)}/`),
  malformedId("a doubled slash", (td) => `spiffe://${td}/ns//shop/sa/web`),
  malformedId("path traversal", (td) => `spiffe://${td}/ns/other/../shop/sa/web`),
  malformedId("a dot segment", (td) => `spiffe://${td}/ns/./shop/sa/web`),
  malformedId("an empty trust domain", () => "spiffe:///ns/shop/sa/web"),
  malformedId("a line break", (td) => `${peerId(td)}\n`),
  malformedId("a blank", (td) => `spiffe://${td}/ns/shop/sa/we b`),
  malformedId("a backslash", (td) => `spiffe://${td}\\ns\\shop\\sa\\web`),
  malformedId("a comma that fakes a second name", (td) => `${peerId(td)}, URI:spiffe://${td}/admin`),
  malformedId("the id of a trust domain", (td) => `spiffe://${td}`),
  malformedId("an id of 2,049 bytes", (td) => `spiffe://${td}/`.padEnd(2_049, "a")),
  malformedId("a URI of 8 KiB", (td) => `spiffe://${td}/`.padEnd(8_192, "a")),
  {
    group: "names",
    title: "a URI of 16 KiB",
    verdict: "certificate_too_large",
    make: named((td) => `spiffe://${td}/`.padEnd(16_384, "a")),
  },
  malformedId("another scheme", (td) => `https://${td}/ns/shop/sa/web`),
  malformedId("no scheme", (td) => `//${td}/ns/shop/sa/web`),
  malformedId("an empty URI", () => ""),
  {
    group: "names",
    title: "bytes beyond ASCII (a Cyrillic letter)",
    verdict: "malformed_spiffe_id",
    make: leaf(({ trustDomain }) => ({
      extensions: {
        [oids.subjectAltName]: rawExtension(
          oids.subjectAltName,
          true,
          der(0x30, der(0x86, Buffer.from(`spiffe://${trustDomain}/ns/shop/sa/w\u0435b`, "utf8"))),
        ),
      },
    })),
  },
  {
    group: "names",
    title: "no SAN",
    verdict: "no_spiffe_id",
    make: leaf({ extensions: { [oids.subjectAltName]: undefined } }),
  },
  { group: "names", title: "a DNS name only", verdict: "no_spiffe_id", make: leaf({ names: [dns("web.shop")] }) },
  {
    group: "names",
    title: "the id as an e-mail name",
    verdict: "no_spiffe_id",
    make: leaf(({ trustDomain }) => ({ names: [new asn.GeneralName({ rfc822Name: peerId(trustDomain) })] })),
  },
  {
    group: "names",
    title: "the id in the common name only",
    verdict: "no_spiffe_id",
    make: leaf(({ trustDomain }) => ({
      subject: `CN=${peerId(trustDomain)}`,
      extensions: { [oids.subjectAltName]: undefined },
    })),
  },
  {
    group: "names",
    title: "two URIs",
    verdict: "several_uri_names",
    says: /2 URI names/,
    make: leaf(({ trustDomain: td }) => ({ names: [uriName(peerId(td)), uriName(`spiffe://${td}/ns/shop/sa/admin`)] })),
  },
  {
    group: "names",
    title: "the same URI twice",
    verdict: "several_uri_names",
    make: leaf(({ trustDomain: td }) => ({ names: [uriName(peerId(td)), uriName(peerId(td))] })),
  },
  {
    group: "names",
    title: "a URI of another scheme beside the id",
    verdict: "several_uri_names",
    make: leaf(({ trustDomain: td }) => ({ names: [uriName(peerId(td)), uriName(`https://${td}/`)] })),
  },
  {
    group: "names",
    title: "300 names",
    verdict: "malformed_certificate",
    make: leaf(({ trustDomain: td }) => ({
      names: [uriName(peerId(td)), ...Array.from({ length: 299 }, (_, at) => dns(`n${at}.example`))],
    })),
  },
  {
    group: "names",
    title: "two SAN extensions",
    verdict: "malformed_certificate",
    make: leaf(({ trustDomain: td }) => ({
      more: [
        extension(
          oids.subjectAltName,
          true,
          new asn.SubjectAlternativeName([uriName(`spiffe://${td}/ns/shop/sa/admin`)]),
        ),
      ],
    })),
  },
  {
    group: "names",
    title: "an empty SAN",
    verdict: "no_spiffe_id",
    make: leaf({
      extensions: { [oids.subjectAltName]: rawExtension(oids.subjectAltName, true, der(0x30, Buffer.alloc(0))) },
    }),
  },
];

const usages: readonly CertificateCase[] = [
  {
    group: "usages",
    title: "an authority's certificate as a leaf",
    verdict: "ca_certificate",
    make: leaf({
      extensions: {
        [oids.basicConstraints]: basicConstraints(true),
        [oids.keyUsage]: keyUsage(Usage.digitalSignature, Usage.keyCertSign),
      },
    }),
  },
  {
    group: "usages",
    title: "the intermediate itself, with its key",
    verdict: "wrong_usage",
    make: ({ intermediate }) => ({ chain: [intermediate.der], key: intermediate.key }),
  },
  {
    group: "usages",
    title: "no key usage",
    verdict: "key_usage",
    make: leaf({ extensions: { [oids.keyUsage]: undefined } }),
  },
  {
    group: "usages",
    title: "a key for encryption only",
    verdict: "wrong_usage",
    make: leaf({ extensions: { [oids.keyUsage]: keyUsage(Usage.keyEncipherment) } }),
  },
  {
    group: "usages",
    title: "a key that signs certificates",
    verdict: "key_usage",
    make: leaf({ extensions: { [oids.keyUsage]: keyUsage(Usage.digitalSignature, Usage.keyCertSign) } }),
  },
  {
    group: "usages",
    title: "a key that signs revocation lists",
    verdict: "key_usage",
    make: leaf({ extensions: { [oids.keyUsage]: keyUsage(Usage.digitalSignature, Usage.cRLSign) } }),
  },
  {
    group: "usages",
    title: "server use only",
    verdict: "wrong_usage",
    make: leaf({ extensions: { [oids.extendedKeyUsage]: extendedKeyUsage(SERVER_AUTH) } }),
  },
  {
    group: "usages",
    title: "client use only",
    verdict: "extended_key_usage",
    make: leaf({ extensions: { [oids.extendedKeyUsage]: extendedKeyUsage(CLIENT_AUTH) } }),
  },
  {
    group: "usages",
    title: "code signing only",
    verdict: "wrong_usage",
    make: leaf({ extensions: { [oids.extendedKeyUsage]: extendedKeyUsage(CODE_SIGNING) } }),
  },
  {
    group: "usages",
    title: "any extended use",
    verdict: "wrong_usage",
    make: leaf({ extensions: { [oids.extendedKeyUsage]: extendedKeyUsage(ANY_USAGE) } }),
  },
  {
    group: "usages",
    title: "no extended key usage",
    verdict: "accepted",
    make: leaf({ extensions: { [oids.extendedKeyUsage]: undefined } }),
  },
  {
    group: "usages",
    title: "code signing beside server and client",
    verdict: "accepted",
    make: leaf({ extensions: { [oids.extendedKeyUsage]: extendedKeyUsage(SERVER_AUTH, CLIENT_AUTH, CODE_SIGNING) } }),
  },
];

const chains: readonly CertificateCase[] = [
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

/** Ripstop's authority starts certificates five minutes early; `skewMs` is how far its clock is ahead. */
function skewed(skewMs: number): (world: HostileWorld) => Presented {
  return (world) => {
    const nowMs = systemClock.nowMs() + skewMs;
    return leaf({ notBeforeMs: nowMs - 5 * MINUTE, notAfterMs: nowMs + HOUR })(world);
  };
}

const time: readonly CertificateCase[] = [
  {
    group: "time",
    title: "an expired leaf",
    verdict: "expired",
    says: /expired/,
    make: (world) => leaf({ notBeforeMs: systemClock.nowMs() - HOUR, notAfterMs: systemClock.nowMs() - MINUTE })(world),
  },
  {
    group: "time",
    title: "issued by a clock that is almost 5 minutes ahead",
    verdict: "accepted",
    make: skewed(5 * MINUTE - 10_000),
  },
  {
    group: "time",
    title: "issued by a clock that is 5 minutes behind",
    verdict: "accepted",
    make: skewed(-5 * MINUTE),
  },
  {
    group: "time",
    title: "issued by a clock that is 1 hour ahead",
    verdict: "not_yet_valid",
    says: /clock/,
    make: skewed(HOUR),
  },
  {
    group: "time",
    title: "issued for 1 hour by a clock that is 2 hours behind",
    verdict: "expired",
    says: /clock/,
    make: skewed(-2 * HOUR),
  },
  {
    group: "time",
    title: "without end (the year 9999)",
    verdict: "accepted",
    make: leaf({ notAfterMs: Date.UTC(9999, 11, 31, 23, 59, 59) }),
  },
  {
    group: "time",
    title: "an end before its start",
    verdict: "expired",
    make: (world) => leaf({ notBeforeMs: systemClock.nowMs() - MINUTE, notAfterMs: systemClock.nowMs() - HOUR })(world),
  },
];

const keys: readonly CertificateCase[] = [
  {
    group: "keys and signatures",
    title: "a P-384 key",
    verdict: "accepted",
    make: (w) => leaf({ key: ecKey("P-384") })(w),
  },
  {
    group: "keys and signatures",
    title: "an RSA-2048 key",
    verdict: "accepted",
    make: (w) => leaf({ key: rsaKey(2_048) })(w),
  },
  {
    group: "keys and signatures",
    title: "an RSA-1024 key",
    verdict: "untrusted_chain",
    make: (w) => leaf({ key: rsaKey(1_024) })(w),
  },
  {
    group: "keys and signatures",
    title: "an RSA key with the exponent 3",
    verdict: "weak_key",
    make: (w) => leaf({ key: rsaKey(2_048, 3) })(w),
  },
  {
    group: "keys and signatures",
    title: "a key on the curve secp256k1",
    verdict: "weak_key",
    make: (w) => leaf({ key: ecKey("secp256k1") })(w),
  },
  {
    group: "keys and signatures",
    title: "a leaf signed with SHA-1",
    verdict: "untrusted_chain",
    make: leaf({ hash: "sha1" }),
  },
  {
    group: "keys and signatures",
    title: "a leaf signed with MD5 and RSA",
    verdict: "untrusted_chain",
    make: under(({ trustDomain, root }) => [makeCa(trustDomain, { parent: root, key: rsaKey(2_048), pathLength: 0 })], {
      hash: "md5",
    }),
  },
  {
    group: "keys and signatures",
    title: "an intermediate with an RSA-1024 key",
    verdict: "untrusted_chain",
    make: under(({ trustDomain, root }) => [makeCa(trustDomain, { parent: root, key: rsaKey(1_024), pathLength: 0 })]),
  },
  {
    group: "keys and signatures",
    title: "signed by another key than the issuer's",
    verdict: "bad_signature",
    make: (w) => leaf({ signWith: ecKey() })(w),
  },
  {
    group: "keys and signatures",
    title: "one bit of the signature changed",
    verdict: "bad_signature",
    make: encoded((bytes) => {
      const changed = Buffer.from(bytes);
      changed[changed.length - 4] = (changed[changed.length - 4] ?? 0) ^ 1;
      return changed;
    }),
  },
  {
    group: "keys and signatures",
    title: "another algorithm outside than inside the signature",
    verdict: "bad_signature",
    make: encoded((bytes) => {
      const sha256 = Buffer.from("06082a8648ce3d040302", "hex");
      const at = bytes.lastIndexOf(sha256);
      const changed = Buffer.from(bytes);
      changed[at + sha256.length - 1] = 3;
      return changed;
    }),
  },
  {
    group: "keys and signatures",
    title: "somebody else's certificate without its key",
    verdict: "bad_signature",
    stolen: true,
    make: leaf({}),
  },
];

const encodings: readonly CertificateCase[] = [
  {
    group: "encodings",
    title: "version 1 without extensions",
    verdict: "malformed_certificate",
    make: leaf({
      version: 0,
      extensions: {
        [oids.basicConstraints]: undefined,
        [oids.keyUsage]: undefined,
        [oids.extendedKeyUsage]: undefined,
        [oids.subjectAltName]: undefined,
      },
    }),
  },
  {
    group: "encodings",
    title: "version 1 with extensions",
    verdict: "malformed_certificate",
    make: leaf({ version: 0 }),
  },
  {
    group: "encodings",
    title: "a negative serial number",
    verdict: "malformed_certificate",
    make: leaf({ serial: Buffer.of(0x80, 1) }),
  },
  {
    group: "encodings",
    title: "the serial number 0",
    verdict: "malformed_certificate",
    make: leaf({ serial: Buffer.of(0) }),
  },
  {
    group: "encodings",
    title: "a serial number of 64 bytes",
    verdict: "malformed_certificate",
    make: leaf({ serial: Buffer.concat([Buffer.of(1), Buffer.alloc(63, 7)]) }),
  },
  {
    group: "encodings",
    title: "the same extension twice",
    verdict: "malformed_certificate",
    make: leaf({ more: [keyUsage(Usage.digitalSignature)] }),
  },
  {
    group: "encodings",
    title: "an unknown critical extension",
    verdict: "untrusted_chain",
    make: leaf({ more: [rawExtension(UNKNOWN_OID, true, Buffer.of(5, 0))] }),
  },
  {
    group: "encodings",
    title: "an unknown extension that is not critical",
    verdict: "accepted",
    make: leaf({ more: [rawExtension(UNKNOWN_OID, false, Buffer.of(5, 0))] }),
  },
  {
    group: "encodings",
    title: "a certificate of 90 KiB",
    verdict: "certificate_too_large",
    make: leaf({ more: [rawExtension(UNKNOWN_OID, false, der(4, Buffer.alloc(90 * 1024)))] }),
  },
  {
    group: "encodings",
    title: "a certificate of 2 MiB",
    verdict: "certificate_too_large",
    make: leaf({ more: [rawExtension(UNKNOWN_OID, false, der(4, Buffer.alloc(2 * 1024 * 1024)))] }),
  },
  {
    group: "encodings",
    title: "bytes after the certificate",
    verdict: "malformed_certificate",
    make: encoded((bytes) => Buffer.concat([bytes, Buffer.from("trailing")])),
  },
  {
    group: "encodings",
    title: "bytes after the names within the SAN",
    verdict: "malformed_certificate",
    make: leaf(({ trustDomain }) => ({
      extensions: {
        [oids.subjectAltName]: rawExtension(
          oids.subjectAltName,
          true,
          Buffer.concat([der(0x30, der(0x86, Buffer.from(peerId(trustDomain)))), Buffer.from("xx")]),
        ),
      },
    })),
  },
  {
    group: "encodings",
    title: "an indefinite length around the certificate (outside what is signed: read as the definite one)",
    verdict: "accepted",
    make: encoded((bytes) => Buffer.concat([Buffer.of(0x30, 0x80), contentsOf(bytes), Buffer.of(0, 0)])),
  },
  {
    group: "encodings",
    title: "a length with a leading zero around the certificate (outside what is signed: read as the short one)",
    verdict: "accepted",
    make: encoded((bytes) => {
      const contents = contentsOf(bytes);
      return Buffer.concat([Buffer.of(0x30, 0x83, 0, contents.length >> 8, contents.length & 0xff), contents]);
    }),
  },
  {
    group: "encodings",
    title: "an indefinite length within what is signed",
    verdict: "malformed_certificate",
    make: leaf({ bytes: (tbs) => Buffer.concat([Buffer.of(0x30, 0x80), contentsOf(tbs), Buffer.of(0, 0)]) }),
  },
  {
    group: "encodings",
    title: "a length with a leading zero within what is signed",
    verdict: "malformed_certificate",
    make: leaf({
      bytes: (tbs) => {
        const contents = contentsOf(tbs);
        return Buffer.concat([Buffer.of(0x30, 0x83, 0, contents.length >> 8, contents.length & 0xff), contents]);
      },
    }),
  },
  {
    group: "encodings",
    title: "a truncated certificate",
    verdict: "malformed_certificate",
    make: encoded((bytes) => bytes.subarray(0, bytes.length - 20)),
  },
  {
    group: "encodings",
    title: "random bytes",
    verdict: "malformed_certificate",
    make: encoded(() => randomBytes(600)),
  },
  {
    group: "encodings",
    title: "an empty certificate",
    verdict: "malformed_certificate",
    make: encoded(() => Buffer.alloc(0)),
  },
  {
    group: "encodings",
    title: "a SAN that is no ASN.1",
    verdict: "malformed_certificate",
    make: leaf({ extensions: { [oids.subjectAltName]: rawExtension(oids.subjectAltName, true, randomLike()) } }),
  },
  {
    group: "encodings",
    title: "the cA flag as 01 instead of FF",
    verdict: "ca_certificate",
    make: leaf({
      extensions: { [oids.basicConstraints]: rawExtension(oids.basicConstraints, true, Buffer.of(0x30, 3, 1, 1, 1)) },
    }),
  },
  {
    group: "encodings",
    title: "a month 13 in the validity",
    verdict: "malformed_certificate",
    make: leaf({
      notAfterMs: Date.UTC(2039, 10, 30, 10, 11, 12),
      bytes: (tbs) => replaced(tbs, Buffer.from("391130101112Z"), Buffer.from("391330101112Z")),
    }),
  },
  {
    group: "encodings",
    title: "a path length on a leaf",
    verdict: "malformed_certificate",
    make: leaf({ extensions: { [oids.basicConstraints]: basicConstraints(false, 3) } }),
  },
  {
    group: "encodings",
    title: "a key usage without a bit set",
    verdict: "malformed_certificate",
    make: leaf({ extensions: { [oids.keyUsage]: rawExtension(oids.keyUsage, true, Buffer.of(3, 2, 7, 0)) } }),
  },
];

function randomLike(): Buffer {
  return Buffer.from("ffeeddccbbaa99887766554433221100", "hex");
}

/** Every row, in the order of the document. */
export const certificateCases: readonly CertificateCase[] = [
  ...names,
  ...usages,
  ...chains,
  ...time,
  ...keys,
  ...encodings,
];

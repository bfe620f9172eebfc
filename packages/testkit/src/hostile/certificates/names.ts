// Names in certificates.

import * as asn from "@peculiar/asn1-x509";
import { der, extension, oids, rawExtension, uriName } from "../certificate-lab.ts";
import type { CertificateCase } from "./certificate-case.ts";
import { leaf, named, peerId } from "./presented.ts";

function dns(name: string): asn.GeneralName {
  return new asn.GeneralName({ dNSName: name });
}

function malformedId(title: string, uri: (trustDomain: string) => string): CertificateCase {
  return { group: "names", title, verdict: "malformed_spiffe_id", says: /no SPIFFE id|no workload/, make: named(uri) };
}

/** Rows on names. */
export const names: readonly CertificateCase[] = [
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

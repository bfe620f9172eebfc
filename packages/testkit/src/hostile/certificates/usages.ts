// What certificates may be used for.

import * as asn from "@peculiar/asn1-x509";
import { basicConstraints, extendedKeyUsage, keyUsage, oids } from "../certificate-lab.ts";
import type { CertificateCase } from "./certificate-case.ts";
import { leaf } from "./presented.ts";

const { KeyUsageFlags: Usage } = asn;

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_USAGE = "2.5.29.37.0";
const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";

/** Rows on usages. */
export const usages: readonly CertificateCase[] = [
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

// Keys and signatures of certificates.

import { ecKey, makeCa, rsaKey } from "../certificate-lab.ts";
import type { CertificateCase } from "./certificate-case.ts";
import { encoded, leaf, under } from "./presented.ts";

/** Rows on keys and signatures. */
export const keys: readonly CertificateCase[] = [
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

// The table of hostile certificates: what a peer presents, and what must become of it. Generated into
// docs/reference/hostile-certificates.md; tests make each one and shake hands with it.

import type { CertificateCase } from "./certificates/certificate-case.ts";
import { chains } from "./certificates/chains.ts";
import { encodings } from "./certificates/encodings.ts";
import { keys } from "./certificates/keys.ts";
import { names } from "./certificates/names.ts";
import { time } from "./certificates/time.ts";
import { usages } from "./certificates/usages.ts";

/** Every row, in the order of the document. */
export const certificateCases: readonly CertificateCase[] = [
  ...names,
  ...usages,
  ...chains,
  ...time,
  ...keys,
  ...encodings,
];

// Hostile certificates and requests, and what must become of them.

export { certificateCases } from "./certificate-cases.ts";
export { verdictsOf, type CertificateCase, type HostileWorld } from "./certificates/certificate-case.ts";
export { peerId } from "./certificates/presented.ts";
export { caOf, ecKey, makeCa, makeCertificate, randomShape, type LabCa, type Presented } from "./certificate-lab.ts";
export { csrCases, type CsrCase } from "./csr-cases.ts";
export { rawTls, type RawTlsFate, type RawTlsOptions } from "./raw-tls-client.ts";

// Hostile certificates and requests, and what must become of them.

export { certificateCases, peerId, verdictsOf, type CertificateCase, type HostileWorld } from "./certificate-cases.ts";
export { caOf, ecKey, makeCa, makeCertificate, randomShape, type LabCa, type Presented } from "./certificate-lab.ts";
export { csrCases, type CsrCase } from "./csr-cases.ts";
export { rawTls, type RawTlsFate, type RawTlsOptions } from "./raw-tls-client.ts";

// The errors of identity: why a certificate was not issued, or the authority could not start.

import { defineError, type ErrorKind } from "@ripstop/core";

export const csrMalformed: ErrorKind = defineError({
  code: "RS2001",
  name: "csr_malformed",
  status: 400,
  grpcStatus: 3,
  title: "The certificate signing request cannot be read",
  cause: 'It is not one PEM block "CERTIFICATE REQUEST" that holds a PKCS #10 request (RFC 2986).',
  remedy: "Make the request with `ripstop run`, or with any PKCS #10 tool, and send the PEM text unchanged.",
});

export const csrTooLarge: ErrorKind = defineError({
  code: "RS2002",
  name: "csr_too_large",
  status: 413,
  grpcStatus: 3,
  title: "The certificate signing request is too large",
  cause: "It is over 16 KiB: a request with a key and one name is a few hundred bytes.",
  remedy: "Leave out everything but the key and, if you like, the SPIFFE id.",
});

export const csrSignatureInvalid: ErrorKind = defineError({
  code: "RS2003",
  name: "csr_signature_invalid",
  status: 400,
  grpcStatus: 3,
  title: "The certificate signing request does not prove that its sender holds the key",
  cause: "Its signature is wrong, or made with an algorithm weaker than SHA-256.",
  remedy: "Sign the request with the private key of the public key in it, with SHA-256 or stronger.",
});

export const csrKeyRefused: ErrorKind = defineError({
  code: "RS2004",
  name: "csr_key_refused",
  status: 400,
  grpcStatus: 3,
  title: "The key of the certificate signing request is of a kind that is not accepted",
  cause: "Accepted are EC P-256, EC P-384, and RSA from 2048 to 4096 bits with exponent 65537.",
  remedy: "Make an EC P-256 key.",
});

export const csrOtherIdentity: ErrorKind = defineError({
  code: "RS2005",
  name: "csr_other_identity",
  status: 403,
  grpcStatus: 7,
  title: "The certificate signing request asks for another identity than its sender may have",
  cause: "Its URI name is not the SPIFFE id that the sender was attested for.",
  remedy: "Ask for exactly the own SPIFFE id, or for no name at all: the authority fills it in.",
});

export const csrAsksForMore: ErrorKind = defineError({
  code: "RS2006",
  name: "csr_asks_for_more",
  status: 400,
  grpcStatus: 3,
  title: "The certificate signing request asks for more than a SPIFFE id",
  cause: "It holds further names, several URIs, CA rights, or extensions that an X.509-SVID does not have.",
  remedy: "Leave out everything but the key and, if you like, the SPIFFE id.",
});

export const identityNotIssuable: ErrorKind = defineError({
  code: "RS2007",
  name: "identity_not_issuable",
  status: 403,
  grpcStatus: 7,
  title: "This authority does not issue that identity",
  cause: "The SPIFFE id is malformed, has no path, or belongs to another trust domain.",
  remedy: "Use spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT with the trust domain of this mesh.",
});

export const ttlOutOfRange: ErrorKind = defineError({
  code: "RS2008",
  name: "svid_ttl_out_of_range",
  status: 400,
  grpcStatus: 3,
  title: "The lifetime asked for an SVID is out of range",
  cause: "An SVID lives from 10 s to 24 h.",
  remedy: "Ask for a lifetime in that range, or for none (1 h).",
});

export const issuanceNotLogged: ErrorKind = defineError({
  code: "RS2009",
  name: "issuance_not_logged",
  status: 503,
  grpcStatus: 14,
  title: "The certificate was not issued, because the log of issued certificates cannot be written",
  cause: "The disk of the control plane is full, or its identity folder is not writable.",
  remedy: "Make room or mend the permissions; workloads retry by themselves and keep the SVID they have.",
});

export const authorityUnusable: ErrorKind = defineError({
  code: "RS2010",
  name: "authority_unusable",
  status: 500,
  grpcStatus: 13,
  title: "The authority's keys or certificates on disk cannot be used",
  cause: "A file in the identity folder is damaged, missing, readable by others, or belongs to another trust domain.",
  remedy: "Restore the folder from a backup. A new authority in an empty folder means that every workload joins anew.",
});

export const authorityExpired: ErrorKind = defineError({
  code: "RS2011",
  name: "authority_expired",
  status: 503,
  grpcStatus: 14,
  title: "The root certificate of the mesh is not valid at this time",
  cause: "It has expired, or the clock of the control plane is wrong.",
  remedy: "Check the clock. If the root has really expired, run `ripstop identity recover`.",
});

export const rotationUnderWay: ErrorKind = defineError({
  code: "RS2012",
  name: "rotation_under_way",
  status: 409,
  grpcStatus: 9,
  title: "A rotation of the root is under way",
  cause: "Only one root can be exchanged at a time.",
  remedy:
    "See how far it is with `ripstop identity rotate-root --status`; it can be given up with --abort until the new root signs.",
});

export const rotationNotPossible: ErrorKind = defineError({
  code: "RS2013",
  name: "rotation_not_possible",
  status: 409,
  grpcStatus: 9,
  title: "The rotation of the root cannot take this step now",
  cause: "No rotation is under way, it is in another phase, or the root is not one that this control plane made.",
  remedy: "See how far it is with `ripstop identity rotate-root --status`.",
});

export const recoveryNotNeeded: ErrorKind = defineError({
  code: "RS2014",
  name: "recovery_not_needed",
  status: 409,
  grpcStatus: 9,
  title: "The root certificate does not need a recovery",
  cause: "It is valid; a recovery would make every SVID void at once.",
  remedy: "Exchange a valid root with `ripstop identity rotate-root`, or add --force when its key is known to others.",
});

export const jwtAudienceRefused: ErrorKind = defineError({
  code: "RS2040",
  name: "jwt_audience_refused",
  status: 400,
  grpcStatus: 3,
  title: "The audience asked for a JWT-SVID is missing or not usable",
  cause: "A JWT-SVID names who may accept it: one to eight names of 1 to 512 printable characters.",
  remedy: "Name the one service that the token is for, for example its SPIFFE id.",
});

export const jwtKeyUnusable: ErrorKind = defineError({
  code: "RS2041",
  name: "jwt_key_unusable",
  status: 500,
  grpcStatus: 13,
  title: "The keys that sign JWT-SVIDs cannot be used",
  cause: "A file in the identity folder is damaged, missing, readable by others, or the key store does not answer.",
  remedy:
    "Restore the folder from a backup, or remove jwt-keys.json and the jwt-*.key.pem beside it to start new keys.",
});

export const identityRevoked: ErrorKind = defineError({
  code: "RS2045",
  name: "identity_revoked",
  status: 403,
  grpcStatus: 7,
  title: "The identity is revoked: nothing is issued to it",
  cause: "An operator revoked it with `ripstop identity revoke`.",
  remedy: "Find out why (`ripstop identity show ID`). When it may come back: `ripstop identity unrevoke ID`.",
});

// Errors of the control plane that users can meet.

import { defineError, type ErrorKind } from "@ripstop/core";

/** A write met a newer version. */
export const conflict: ErrorKind = defineError({
  code: "RS3001",
  name: "conflict",
  status: 409,
  grpcStatus: 10,
  title: "The resource was changed by someone else meanwhile",
  cause: "metadata.resourceVersion of the file is not the current one",
  remedy: "Read the resource again, make the change on that, or leave metadata.resourceVersion out to overwrite",
});

/** The disk refused a write. */
export const storeUnwritable: ErrorKind = defineError({
  code: "RS3002",
  name: "store_unwritable",
  status: 507,
  grpcStatus: 13,
  title: "The store could not be written",
  cause: "The disk is full, read-only or failing",
  remedy: "Free space or repair the disk; nothing of this write was applied",
});

/** The store's files are of a newer version. */
export const storeNewer: ErrorKind = defineError({
  code: "RS3003",
  name: "store_newer",
  status: 500,
  grpcStatus: 9,
  title: "The store was written by a newer version of Ripstop",
  cause: "An older control plane was started on the same mesh home",
  remedy: "Start the version that wrote it, or a newer one",
});

/** The store's files are not what they should be. */
export const storeDamaged: ErrorKind = defineError({
  code: "RS3004",
  name: "store_damaged",
  status: 500,
  grpcStatus: 15,
  title: "The store's file is damaged",
  cause: "Something else wrote to it, or it was copied while in use or only in part",
  remedy: "Put back a copy that was made while the control plane was stopped, or move the folder away to start anew",
});

/** etcd does not answer, or not as it should. */
export const etcdUnreachable: ErrorKind = defineError({
  code: "RS3061",
  name: "etcd_unreachable",
  status: 503,
  grpcStatus: 14,
  title: "The store in etcd does not answer",
  cause: "etcd is down, has no quorum, refuses this client, or the network between is cut",
  remedy:
    "Check `etcdctl endpoint health` with the same endpoints and certificates; nothing of this write was acknowledged",
});

/** Two mesh homes on one prefix. */
export const etcdOfAnotherMesh: ErrorKind = defineError({
  code: "RS3062",
  name: "etcd_of_another_mesh",
  status: 409,
  grpcStatus: 9,
  title: "The store in etcd belongs to another mesh home",
  cause: "A control plane with another home, and so with another certificate authority, uses the same prefix",
  remedy: "Start it on that home, or choose a prefix of its own (--etcd-prefix)",
});

/** The key file of a shared authority. */
export const authorityKeyUnusable: ErrorKind = defineError({
  code: "RS3088",
  name: "authority_key_unusable",
  status: 500,
  grpcStatus: 9,
  title: "The key file of the shared certificate authority cannot be used",
  cause: "It is missing, can be read by others, does not hold 32 bytes, or is not the one that the mesh was made with",
  remedy: "Give every replica the same file, mode 0600: `(umask 077; openssl rand -hex 32 > FILE)` makes a new one",
});

/** Options that replicas cannot have. */
export const replicaOptionsInvalid: ErrorKind = defineError({
  code: "RS3089",
  name: "replica_options_invalid",
  status: 400,
  grpcStatus: 3,
  title: "These options do not go together with several control planes",
  cause: "--authority-key-file shares the certificate authority in etcd: it needs --etcd, and takes no --external-ca",
  remedy: "See docs/high-availability.md for the options of a replica",
});

/** A replica that the shared store does not answer. */
export const replicaCutOff: ErrorKind = defineError({
  code: "RS3090",
  name: "replica_cut_off",
  status: 503,
  grpcStatus: 14,
  title: "This control plane is cut off from the shared store",
  cause: "etcd does not answer it, so it cannot know what the other control planes have done meanwhile",
  remedy: "Ask another control plane; `ripstop status` shows them. It goes on by itself when etcd answers again",
});

/** A read that had to be current. */
export const readNotCurrent: ErrorKind = defineError({
  code: "RS3091",
  name: "read_not_current",
  status: 503,
  grpcStatus: 14,
  title: "The answer might be old, and a current one was asked for",
  cause: "The control plane could not find out within two seconds whether another one has written meanwhile",
  remedy:
    "Ask again or ask another control plane, or leave ?consistency=linearizable out and look at the answer's Ripstop-Consistency header",
});

/** A revision that the history does not have. */
export const noSuchRevision: ErrorKind = defineError({
  code: "RS3060",
  name: "no_such_revision",
  status: 404,
  grpcStatus: 5,
  title: "The history does not have that revision",
  cause: "It was never made, or it is older than what is kept",
  remedy: "`ripstop history` lists what there is; the control plane's --keep-revisions says how much is kept",
});

/** No such route of the API. */
export const noSuchRoute: ErrorKind = defineError({
  code: "RS3010",
  name: "no_such_route",
  status: 404,
  grpcStatus: 12,
  title: "The API has no such route",
  cause: "The client and the control plane are of different versions, or the address is mistyped",
  remedy: "Use a ripstop command of the same version as the control plane",
});

/** The route exists, with other methods. */
export const methodNotAllowed: ErrorKind = defineError({
  code: "RS3011",
  name: "method_not_allowed",
  status: 405,
  grpcStatus: 12,
  title: "The route does not take this method here",
  cause: "The dashboard's listener serves GET only; writes go to the Unix socket in the mesh home",
  remedy: "Use a method that the Allow header names",
});

/** The request cannot be read. */
export const badRequest: ErrorKind = defineError({
  code: "RS3012",
  name: "bad_request",
  status: 400,
  grpcStatus: 3,
  title: "The request is not valid",
  cause: "The body or a parameter does not have the form that the API takes",
  remedy: "Correct what the message and its violations name",
});

/** The body is too large. */
export const bodyTooLarge: ErrorKind = defineError({
  code: "RS3013",
  name: "body_too_large",
  status: 413,
  grpcStatus: 8,
  title: "The request's body is too large",
  cause: "More was sent than this route takes",
  remedy: "Send it in several requests",
});

/** No such resource. */
export const noSuchResource: ErrorKind = defineError({
  code: "RS3014",
  name: "no_such_resource",
  status: 404,
  grpcStatus: 5,
  title: "There is no such resource",
  cause: "The kind, namespace or name is mistyped, or it was deleted",
  remedy: "List what there is with ripstop get KIND",
});

/** No such workload. */
export const noSuchWorkload: ErrorKind = defineError({
  code: "RS3015",
  name: "no_such_workload",
  status: 404,
  grpcStatus: 5,
  title: "The workload is not registered",
  cause: "Its lease ran out, or it left",
  remedy: "Register it again",
});

/** The registration cannot be taken. */
export const registrationRefused: ErrorKind = defineError({
  code: "RS3016",
  name: "registration_refused",
  status: 409,
  grpcStatus: 9,
  title: "The workload cannot be registered like this",
  cause: "Another live workload has this instance name, or the mesh is full",
  remedy: "Leave the instance name out, so that one is chosen",
});

/** A host name that is not this machine's. */
export const foreignHost: ErrorKind = defineError({
  code: "RS3017",
  name: "foreign_host",
  status: 421,
  grpcStatus: 7,
  title: "The Host header does not name this listener",
  cause: "A web page tried to reach the dashboard under a name of its own (DNS rebinding), or a proxy rewrote the host",
  remedy: "Open the dashboard by the address that ripstop printed",
});

/** A bug of ours. */
export const internalError: ErrorKind = defineError({
  code: "RS3018",
  name: "internal_error",
  status: 500,
  grpcStatus: 13,
  title: "The control plane failed to answer",
  cause: "A bug in Ripstop",
  remedy: "Please report it with the control plane's log",
});

/** Another control plane lives on the same home. */
export const alreadyRunning: ErrorKind = defineError({
  code: "RS3020",
  name: "already_running",
  status: 409,
  grpcStatus: 6,
  title: "A control plane is running on this mesh home already",
  cause: "ripstop control or ripstop up was started before with the same --home",
  remedy: "Use that one, stop it, or choose another --home",
});

/** The authority could not start. */
export const authorityFailed: ErrorKind = defineError({
  code: "RS3021",
  name: "authority_failed",
  status: 500,
  grpcStatus: 13,
  title: "The certificate authority could not start",
  cause: "Its keys are missing, damaged, unreadable or expired",
  remedy: "See the message for the file concerned",
});

/** The stream server could not listen. */
export const listenFailed: ErrorKind = defineError({
  code: "RS3022",
  name: "listen_failed",
  status: 500,
  grpcStatus: 14,
  title: "The control plane cannot listen",
  cause: "The address is taken or not this machine's, or the path of the socket is too long",
  remedy: "Free the address, or choose another",
});

/** The authority refused to sign. */
export const csrRefused: ErrorKind = defineError({
  code: "RS3019",
  name: "csr_refused",
  status: 422,
  grpcStatus: 3,
  title: "The certificate signing request was refused",
  cause: "It is malformed, too weak, or asks for another identity than the workload's",
  remedy: "Make the request for exactly the SPIFFE id of the workload, with an EC P-256 key",
});

/** Too many watch. */
export const tooManyTaps: ErrorKind = defineError({
  code: "RS3023",
  name: "too_many_taps",
  status: 429,
  grpcStatus: 8,
  title: "Too many taps are open",
  cause: "Other terminals or pages are watching requests",
  remedy: "Close one of them",
});

/** The home belongs to another trust domain. */
export const trustDomainFixed: ErrorKind = defineError({
  code: "RS3024",
  name: "trust_domain_fixed",
  status: 409,
  grpcStatus: 9,
  title: "The mesh home belongs to another trust domain",
  cause: "The home was made with another --trust-domain; its certificates cannot change their domain",
  remedy: "Leave --trust-domain out, or choose another --home",
});

/** The token is not one of ours. */
export const joinTokenUnknown: ErrorKind = defineError({
  code: "RS3040",
  name: "join_token_unknown",
  status: 401,
  grpcStatus: 16,
  title: "The join token is not known",
  cause: "It is of another mesh, was revoked, or was not copied whole",
  remedy: "Make a new one with `ripstop token create`",
});

/** A one-time token came a second time. */
export const joinTokenUsed: ErrorKind = defineError({
  code: "RS3041",
  name: "join_token_used",
  status: 401,
  grpcStatus: 16,
  title: "The join token was used already",
  cause: "A join token is good for one join. If you did not use it, somebody else did: look at `ripstop token list`",
  remedy: "Make a new one with `ripstop token create`",
});

/** The token is too old. */
export const joinTokenExpired: ErrorKind = defineError({
  code: "RS3042",
  name: "join_token_expired",
  status: 401,
  grpcStatus: 16,
  title: "The join token has expired",
  cause: "It was not used in time",
  remedy: "Make a new one with `ripstop token create`, with a longer --ttl if need be",
});

/** The proof is for somebody else. */
export const joinOtherIdentity: ErrorKind = defineError({
  code: "RS3043",
  name: "join_other_identity",
  status: 403,
  grpcStatus: 7,
  title: "The proof is not for the identity that is asked for",
  cause:
    "The token was made for another service account or node, or no WorkloadIdentity gives this identity to the bearer",
  remedy: "Ask for the identity that the proof is for, or apply a WorkloadIdentity that says so",
});

/** The JWT does not verify. */
export const platformTokenRefused: ErrorKind = defineError({
  code: "RS3044",
  name: "platform_token_refused",
  status: 401,
  grpcStatus: 16,
  title: "The platform's token was refused",
  cause: "It is expired, for another audience, signed by someone else, or its issuer is not trusted here",
  remedy: "Correct what the message names; trusted issuers are the TokenIssuer resources",
});

/** The joiner's clock is off. */
export const clockSkew: ErrorKind = defineError({
  code: "RS3045",
  name: "clock_skew",
  status: 403,
  grpcStatus: 9,
  title: "The clock of the host differs too much from the control plane's",
  cause: "More than 5 minutes: certificates would be refused as not yet valid or expired",
  remedy: "Set the clock, for example with an NTP service, and join again",
});

/** Too many joins from one address. */
export const joinLimited: ErrorKind = defineError({
  code: "RS3046",
  name: "join_limited",
  status: 429,
  grpcStatus: 8,
  title: "Too many joins from this address",
  cause: "Joins, or refused joins, come faster than this control plane takes them from one address",
  remedy: "Wait a moment; joining again is tried by itself",
});

/** The route needs a client certificate that is sound. */
export const svidRequired: ErrorKind = defineError({
  code: "RS3047",
  name: "svid_required",
  status: 401,
  grpcStatus: 16,
  title: "This route needs a valid SVID of this mesh",
  cause: "The connection has no client certificate, or one that is expired or of another mesh",
  remedy: "Join again with a token, or let the host's agent do it",
});

/** The SVID is not the workload's. */
export const notOwnWorkload: ErrorKind = defineError({
  code: "RS3048",
  name: "not_own_workload",
  status: 403,
  grpcStatus: 7,
  title: "The SVID is not of this workload",
  cause: "A workload reports and renews itself only; an agent those of its node",
  remedy: "Use the SVID of the workload, or the agent of the node that it runs on",
});

/** No such node, or not this key. */
export const nodeUnknown: ErrorKind = defineError({
  code: "RS3049",
  name: "node_unknown",
  status: 401,
  grpcStatus: 16,
  title: "The node is not known by this key",
  cause:
    "It has not joined, was removed, was away for too long, or its key was copied to another host that has renewed it since",
  remedy: "Join the node again: `ripstop token create --node NAME`, then `ripstop agent --token-file FILE`",
});

/** One of the mesh's own identities. */
export const identityReserved: ErrorKind = defineError({
  code: "RS3050",
  name: "identity_reserved",
  status: 403,
  grpcStatus: 7,
  title: "The identity is one of the mesh's own",
  cause: "Identities of the namespace ripstop-system are not given to workloads",
  remedy: "Use another namespace",
});

/** No token with that id. */
export const noSuchJoinToken: ErrorKind = defineError({
  code: "RS3051",
  name: "no_such_join_token",
  status: 404,
  grpcStatus: 5,
  title: "There is no such join token",
  cause: "The id is mistyped, or the token went long ago",
  remedy: "List them with `ripstop token list`",
});

/** No node of that name. */
export const noSuchNode: ErrorKind = defineError({
  code: "RS3052",
  name: "no_such_node",
  status: 404,
  grpcStatus: 5,
  title: "There is no such node",
  cause: "The name is mistyped, or it was removed",
  remedy: "List them with `ripstop node list`",
});

/** The table of tokens is full. */
export const joinTokensFull: ErrorKind = defineError({
  code: "RS3053",
  name: "join_tokens_full",
  status: 429,
  grpcStatus: 8,
  title: "There are too many join tokens",
  cause: "Tokens are made faster than they are used or expire",
  remedy: "Revoke those that are not needed, or use a platform's tokens instead",
});

/** Nothing can be issued at this time. */
export const identityUnavailable: ErrorKind = defineError({
  code: "RS3073",
  name: "identity_unavailable",
  status: 503,
  grpcStatus: 14,
  title: "The certificate authority cannot issue now",
  cause: "Its root has expired, its clock is wrong, or its disk refuses",
  remedy: "See ripstop check; an expired root comes back with ripstop identity recover",
});

/** A step of a rotation or a recovery is not possible. */
export const rotationRefused: ErrorKind = defineError({
  code: "RS3074",
  name: "rotation_refused",
  status: 409,
  grpcStatus: 9,
  title: "The root cannot be exchanged like this now",
  cause: "A rotation is under way already, or none is, or it is past the point where it can be given up",
  remedy: "See how far it is with ripstop identity rotate-root --status",
});

/** It cannot be revoked. */
export const revocationRefused: ErrorKind = defineError({
  code: "RS3070",
  name: "revocation_refused",
  status: 422,
  grpcStatus: 3,
  title: "This cannot be revoked",
  cause:
    "It is neither a SPIFFE id of a workload nor a serial number, it is the control plane itself, or the list is full",
  remedy: "Give a SPIFFE id of `ripstop identity list`, or --serial with a certificate's serial number",
});

/** There is no such revocation. */
export const nothingRevoked: ErrorKind = defineError({
  code: "RS3071",
  name: "nothing_revoked",
  status: 404,
  grpcStatus: 5,
  title: "That is not revoked",
  cause: "It never was, it was taken back already, or its certificate has expired since",
  remedy: "See what is revoked with `ripstop identity list`",
});

/** No such identity. */
export const noSuchIdentity: ErrorKind = defineError({
  code: "RS3072",
  name: "no_such_identity",
  status: 404,
  grpcStatus: 5,
  title: "The mesh does not know this identity",
  cause: "Nothing was issued to it in the last 24 hours, or the id is mistyped",
  remedy: "See all identities with `ripstop identity list`",
});

/** No JWT-SVID was issued. */
export const jwtRefused: ErrorKind = defineError({
  code: "RS3055",
  name: "jwt_svid_refused",
  status: 422,
  grpcStatus: 3,
  title: "The JWT-SVID was refused",
  cause: "No audience was named, or the lifetime is out of range, or the keys that sign cannot be used",
  remedy: "Name the one service that the token is for, and a lifetime from 10 s to 24 h",
});

/** Nothing says who calls, or what says so is not believed. */
export const notAuthenticated: ErrorKind = defineError({
  code: "RS3025",
  name: "not_authenticated",
  status: 401,
  grpcStatus: 16,
  title: "The API does not know who calls",
  cause: "There is no token, or it was revoked, has expired, or is of another mesh or issuer",
  remedy: "Log in with `ripstop login`, or ask an admin for a token (`ripstop access token create`)",
});

/** The caller is known, and may not do this. */
export const accessDenied: ErrorKind = defineError({
  code: "RS3026",
  name: "access_denied",
  status: 403,
  grpcStatus: 7,
  title: "The caller's role does not allow this",
  cause: "No token or AccessBinding gives the caller the role that is needed, in the namespace that is concerned",
  remedy: "`ripstop access whoami` shows the roles; an admin gives others",
});

/** The caller asks too often. */
export const tooManyRequests: ErrorKind = defineError({
  code: "RS3027",
  name: "too_many_requests",
  status: 429,
  grpcStatus: 8,
  title: "The caller asks the API too often",
  cause: "More than 50 requests a second for longer than a moment, or more than 32 at once",
  remedy: "Ask again in a second; to follow changes use watch instead of asking again and again",
});

/** Too many credentials of one address were refused. */
export const loginLimited: ErrorKind = defineError({
  code: "RS3028",
  name: "login_limited",
  status: 429,
  grpcStatus: 8,
  title: "Too many refused credentials from this address",
  cause: "Credentials that are not valid came from this address again and again",
  remedy: "Wait a minute, and correct the token",
});

/** A watch wants to begin before what is kept. */
export const historyCompacted: ErrorKind = defineError({
  code: "RS3029",
  name: "history_compacted",
  status: 410,
  grpcStatus: 11,
  title: "The history does not reach back that far any more",
  cause: "Revisions after the one that was named are not kept any more",
  remedy: "List the resources anew, and watch from the revision of that list",
});

/** A namespace has too many resources. */
export const quotaExceeded: ErrorKind = defineError({
  code: "RS3030",
  name: "quota_exceeded",
  status: 403,
  grpcStatus: 8,
  title: "The namespace may not have that many resources",
  cause: "Every namespace has a limit, so that none can burden the mesh of the others",
  remedy: "Delete what is not needed, or let the operator raise limits.resourcesPerNamespace of the control plane",
});

/** One resource is too large. */
export const resourceTooLarge: ErrorKind = defineError({
  code: "RS3031",
  name: "resource_too_large",
  status: 413,
  grpcStatus: 8,
  title: "The resource is too large",
  cause: "One resource has more than the control plane keeps in one",
  remedy: "Split it into several",
});

/** No API token with that id. */
export const noSuchAccessToken: ErrorKind = defineError({
  code: "RS3032",
  name: "no_such_access_token",
  status: 404,
  grpcStatus: 5,
  title: "There is no such API token",
  cause: "The id is mistyped, or the token was revoked or expired long ago",
  remedy: "List them with `ripstop access token list`",
});

/** The table of API tokens is full. */
export const accessTokensFull: ErrorKind = defineError({
  code: "RS3033",
  name: "access_tokens_full",
  status: 429,
  grpcStatus: 8,
  title: "There are too many API tokens",
  cause: "Tokens are made faster than they expire",
  remedy: "Revoke those that are not needed, or let people log in with OpenID Connect",
});

/** What is done cannot be recorded, so it is not done. */
export const auditUnwritable: ErrorKind = defineError({
  code: "RS3034",
  name: "audit_unwritable",
  status: 507,
  grpcStatus: 14,
  title: "The audit log cannot be written",
  cause: "The disk is full, read-only or failing; nothing is changed that cannot be recorded",
  remedy: "Free space or repair the disk",
});

/** A backup that cannot be made or used. */
export const backupRefused: ErrorKind = defineError({
  code: "RS3035",
  name: "backup_refused",
  status: 422,
  grpcStatus: 9,
  title: "The backup cannot be made or restored like this",
  cause: "It is damaged, cut short, of a newer version or of another mesh, or its passphrase is wrong",
  remedy: "Use a whole backup of this mesh, and the passphrase that it was made with",
});

/** Another namespace has the name or address. */
export const ownedByAnother: ErrorKind = defineError({
  code: "RS3036",
  name: "owned_by_another",
  status: 409,
  grpcStatus: 6,
  title: "A name or address belongs to another namespace",
  cause: "A resource of another namespace has it already; whoever has it first keeps it",
  remedy: "Use another one, or let its owner give it up",
});

/** The certificate of the API listener cannot be used. */
export const apiCertificateUnusable: ErrorKind = defineError({
  code: "RS3038",
  name: "api_certificate_unusable",
  status: 500,
  grpcStatus: 9,
  title: "The certificate of the API cannot be used",
  cause: "A file is missing or is no PEM, or key and certificate do not belong together",
  remedy: "Correct --api-cert and --api-key, or leave both out to use the control plane's own SVID",
});

/** Too many watch. */
export const tooManyWatches: ErrorKind = defineError({
  code: "RS3039",
  name: "too_many_watches",
  status: 429,
  grpcStatus: 8,
  title: "Too many watches are open",
  cause: "The control plane, or this caller, has as many watches as it may have",
  remedy: "Close one of them; one watch can follow all kinds and namespaces",
});

/** An event: a namespace has used up its compile budget. */
export const compileOverBudget: ErrorKind = defineError({
  code: "RS3080",
  name: "compile_over_budget",
  status: 503,
  grpcStatus: 8,
  title: "A namespace costs more to compile than its budget",
  cause: "Its resources changed very often, or one of them is very large; other namespaces go first",
  remedy: "Make fewer changes, or split the large resource; its changes go on when the window of five seconds ends",
});

/** An event: a resource could not be compiled. */
export const compileFailed: ErrorKind = defineError({
  code: "RS3081",
  name: "compile_failed",
  status: 500,
  grpcStatus: 13,
  title: "A resource could not be compiled",
  cause: "A fault of the control plane that this resource brings to light; proxies keep its last good version",
  remedy: "Take the last change of the resource back (ripstop rollback), and report the fault",
});

/** An event: a compiled resource is too large to be sent. */
export const compiledTooLarge: ErrorKind = defineError({
  code: "RS3082",
  name: "compiled_too_large",
  status: 422,
  grpcStatus: 8,
  title: "A resource is too large when compiled",
  cause: "It has more than 4 MiB, which would stall the streams that carry it; proxies keep its last good version",
  remedy: "Split it: fewer rules in a policy, fewer routes on a service, fewer endpoints in a service",
});

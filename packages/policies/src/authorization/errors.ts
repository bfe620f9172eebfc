// Errors of the authorization policy.

import { defineError, type ErrorKind } from "@ripstop/core";

/** A DENY rule matched. */
export const deniedByRule: ErrorKind = defineError({
  code: "RS1101",
  name: "authorization_denied",
  status: 403,
  grpcStatus: 7,
  title: "A DENY rule of an AuthorizationPolicy matches this request",
  cause: "The policy that the message names forbids this caller, or this request, explicitly.",
  remedy: "Change the call, or ask the owner of the named policy to narrow the named rule.",
});

/** There are ALLOW policies and no rule of them matched. */
export const notAllowed: ErrorKind = defineError({
  code: "RS1102",
  name: "authorization_not_allowed",
  status: 403,
  grpcStatus: 7,
  title: "No rule of the ALLOW policies on this workload matches this request",
  cause:
    "The workload is guarded by AuthorizationPolicy resources with action ALLOW, and none of their rules names this caller and this request. The message names the rule that came closest.",
  remedy:
    "Ask the owner of the named policy to add the caller or the request to a rule, or call as an identity that is allowed.",
});

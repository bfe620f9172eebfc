// Errors of the example policy.

import { defineError, type ErrorKind } from "@ripstop/core";

/** The header is missing. */
export const exampleRefused: ErrorKind = defineError({
  code: "RS1299",
  name: "example_refused",
  status: 403,
  grpcStatus: 7,
  title: "The request lacks a header that an Example policy wants",
  cause: "The policy that the message names guards the workload.",
  remedy: "Send the header, or ask the owner of the policy.",
});

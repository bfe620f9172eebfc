// Errors of fault injection.

import { defineError, type ErrorKind } from "@ripstop/core";

/** A fault answered on purpose. */
export const faultInjected: ErrorKind = defineError({
  code: "RS1270",
  name: "fault_injected",
  status: 503,
  grpcStatus: 14,
  title: "A FaultInjection answered in place of the application, on purpose",
  cause: "The FaultInjection that the message names is in force for this workload and matched the request.",
  remedy: "`ripstop fault list` shows what is in force; `ripstop fault stop --all` ends all of it at once.",
});

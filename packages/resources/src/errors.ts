// Errors of resources that users can meet.

import { defineError, type ErrorKind } from "@ripstop/core";

/** Resources that break their schema or rules. */
export const invalidResources: ErrorKind = defineError({
  code: "RS3101",
  name: "invalid_resources",
  status: 422,
  grpcStatus: 3,
  title: "The resources are not valid",
  cause: "A field is misspelt, missing, of the wrong type or out of range, or names something that does not exist",
  remedy: "Correct each violation listed; nothing was applied",
});

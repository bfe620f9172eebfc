// A failure of this side in the shape of one of the API.

import type { ErrorKind } from "@ripstop/core";
import type { ApiFailure } from "../control-api.ts";

/** A failure of a kind; status 0 stands for one that may pass by itself. */
export function failureOf(kind: ErrorKind, message: string, status: number = 0): ApiFailure {
  return { status, error: { code: kind.code, title: kind.title, message, remedy: kind.remedy } };
}

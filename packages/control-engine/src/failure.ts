// An expected failure of the control plane, as a value.

import type { ErrorKind } from "@ripstop/core";
import type { Violation } from "@ripstop/resources";

/** What went wrong, of a known kind, with the facts of this one occurrence. */
export interface Failure {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly violations?: readonly Violation[];
}

// What of the API's calls goes into the audit log: writes, whatever came of them, and refusals.

import type { Clock } from "@ripstop/core";
import type { AuditEntry } from "@ripstop/model";

import type { Failure } from "../../failure.ts";
import type { ApiCaller } from "../access/api-caller.ts";
import { isRecorded } from "../operations.ts";
import type { CallFacts } from "../router.ts";
import type { AuditLog } from "./audit-log.ts";

/** A call. */
export interface AuditedCall {
  /** "DELETE /v1/resources/service/shop/web". */
  readonly action: string;
  /** "DELETE /v1/resources/:kind/:namespace/:name". */
  readonly operation: string;
}

/** How a call ended. */
export interface CallEnd {
  readonly caller: ApiCaller;
  readonly facts: CallFacts;
  /** undefined when it was done. */
  readonly failure: Failure | undefined;
}

const REFUSED: ReadonlySet<number> = new Set([401, 403, 429]);

/** Records calls. */
export class CallAudit {
  readonly #log: AuditLog;
  readonly #clock: Clock;

  constructor(log: AuditLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Why a write may not begin: it could not be recorded. */
  mayBegin({ operation }: AuditedCall): Failure | undefined {
    return isRecorded(operation) ? this.#log.check() : undefined;
  }

  /** Records a call that is a write, or that was refused. */
  ended({ action, operation }: AuditedCall, { caller, facts, failure }: CallEnd): void {
    const decision: AuditEntry["decision"] =
      failure === undefined ? "done" : REFUSED.has(failure.kind.status) ? "refused" : "failed";
    if (decision !== "refused" && !isRecorded(operation)) return;
    this.#log.add({
      timeMs: this.#clock.nowMs(),
      caller: caller.name,
      by: caller.method,
      from: caller.from,
      action,
      decision,
      status: failure?.kind.status ?? 200,
      code: failure?.kind.code ?? "",
      message: failure?.message ?? facts.reason,
      revision: facts.revision,
      resources: facts.resources,
    });
  }
}

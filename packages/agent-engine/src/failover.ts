// Asks one control plane of several: the one that answered last, and when it is gone or cut off the next one.

import { err, type Result } from "@ripstop/core";

import type { ApiFailure } from "./control-api.ts";
import { controlNotTrusted, controlUnreachable, hostClockWrong } from "./errors.ts";

/** Failures of one control plane that another one need not have: cut off (RS3090), its store away (RS3061). */
const ELSEWHERE: ReadonlySet<string> = new Set(["RS3090", "RS3061", controlNotTrusted.code, hostClockWrong.code]);

/** Questions to several of which any may answer. */
export class Failover<Api> {
  readonly #all: () => readonly Api[];
  #preferred: Api | undefined;

  /** `all`: those that there are now, in the order in which to try them. */
  constructor(all: () => readonly Api[]) {
    this.#all = all;
  }

  /** The one that answered last, then all others; what none of them can do fails as the first one said. */
  async ask<T>(question: (api: Api) => Promise<Result<T, ApiFailure>>): Promise<Result<T, ApiFailure>> {
    const all = this.#all();
    const preferred = this.#preferred;
    const order = preferred === undefined ? all : [preferred, ...all.filter((api) => api !== preferred)];
    let first: ApiFailure | undefined;
    for (const api of order) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
      const answer = await question(api);
      if (answer.ok || !isElsewhere(answer.error)) {
        this.#preferred = api;
        return answer;
      }
      first ??= answer.error;
    }
    return err(first ?? { status: 0, error: { ...controlUnreachable, message: "there is no control plane" } });
  }
}

function isElsewhere({ status, error }: ApiFailure): boolean {
  return status === 0 || ELSEWHERE.has(error.code);
}

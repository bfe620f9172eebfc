// Starts, watches, forces or gives up a rotation of the root.

import type { ControlApi, ApiFailure } from "@ripstop/agent-engine";
import { holdProcess, sleep, systemClock, type Result } from "@ripstop/core";
import type { RotationRequest, RotationStatus } from "@ripstop/model";
import { controlApi } from "../../../api.ts";
import { exitCodes } from "../../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../../options.ts";
import { printFailure } from "../../../output/failure.ts";
import { formatOutput } from "../../../output/format.ts";
import { cutOffText, progressText, statusText } from "./rotation-text.ts";

/** Options of the command. */
export interface RotateRootOptions extends HomeOption, OutputOption {
  readonly wait: boolean;
  readonly status: boolean;
  readonly abort: boolean;
  readonly force: boolean;
}

const PATH = "/v1/identity/rotation";
const ASK_AGAIN_MS = 250;

/** Does what the options say; the exit code. */
export async function rotateRoot(options: RotateRootOptions): Promise<number> {
  const api = controlApi(options);
  const before = await api.call<RotationStatus>("GET", PATH);
  if (!before.ok) return printFailure(before.error);
  if (options.force && before.value.phase !== "idle") process.stderr.write(cutOffText(before.value));
  const joins = options.wait && !options.force && before.value.phase !== "idle";
  const begun = options.status || joins ? before : await act(api, options);
  if (!begun.ok) return printFailure(begun.error);
  const hold = holdProcess();
  const ended = options.wait ? await follow(api, begun.value, options) : begun;
  hold.clear();
  if (!ended.ok) return printFailure(ended.error);
  process.stdout.write(await formatOutput(options.output, ended.value, () => statusText(ended.value)));
  const failed = options.wait && ended.value.last?.outcome !== "done";
  return failed ? exitCodes.failed : exitCodes.done;
}

function act(api: ControlApi, options: RotateRootOptions): Promise<Result<RotationStatus, ApiFailure>> {
  if (options.abort) return api.call("DELETE", PATH);
  const body: RotationRequest = { force: options.force };
  return api.call("POST", PATH, body);
}

/** Shows every change on stderr until no rotation is under way; a control plane that restarts is waited for. */
async function follow(
  api: ControlApi,
  begun: RotationStatus,
  { output }: RotateRootOptions,
): Promise<Result<RotationStatus, ApiFailure>> {
  let answer: Result<RotationStatus, ApiFailure> = { ok: true, value: begun };
  let shown = "";
  for (;;) {
    // oxlint-disable no-await-in-loop -- one question after the other
    if (answer.ok) {
      const line = progressText(answer.value);
      if (output === "table" && line !== shown) process.stderr.write(`${line}\n`);
      shown = line;
      if (answer.value.phase === "idle") return answer;
    } else if (answer.error.status !== 0) {
      return answer;
    }
    await sleep(systemClock, ASK_AGAIN_MS);
    answer = await api.call<RotationStatus>("GET", PATH);
    // oxlint-enable no-await-in-loop
  }
}

// Makes a key, has it certified and writes both.

import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { writeFileAtomically } from "@ripstop/agent-engine/atomic-file";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import type { IssueRequest, IssueResponse } from "@ripstop/model";
import { controlApi } from "../../../api.ts";
import { fileUnwritable } from "../../../errors.ts";
import { exitCodes } from "../../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../../options.ts";
import { printError, printFailure } from "../../../output/failure.ts";
import { formatOutput } from "../../../output/format.ts";
import { spiffeIdOf } from "../identity-argument.ts";
import { dateText } from "../time-text.ts";

/** Options of `ripstop identity issue`. */
export interface IssueOptions extends HomeOption, OutputOption {
  readonly out: string;
  readonly ttl?: number;
  readonly force: boolean;
}

/** Issues and writes; the exit code. */
export async function issueIdentity(name: string, options: IssueOptions): Promise<number> {
  const api = controlApi(options);
  const id = await spiffeIdOf(name, api);
  if (!id.ok) return printFailure(id.error);
  const directory = resolve(options.out);
  const files = {
    svid: join(directory, "svid.pem"),
    key: join(directory, "key.pem"),
    bundle: join(directory, "bundle.pem"),
  };
  const there = Object.values(files).filter((file) => existsSync(file));
  if (there.length > 0 && !options.force) {
    printError(fileUnwritable, `${there.join(", ")} is there already; --force replaces it`);
    return exitCodes.failed;
  }
  const { keyPem, csrPem } = await createKeyAndCsr(id.value);
  const request: IssueRequest = {
    spiffeId: id.value,
    csrPem,
    ...(options.ttl === undefined ? {} : { ttlMs: options.ttl }),
  };
  const answer = await api.call<IssueResponse>("POST", "/v1/identity/issue", request);
  if (!answer.ok) return printFailure(answer.error);
  const { svidChainPem, bundlePem, ...facts } = answer.value;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const [file, text] of [
      [files.key, keyPem],
      [files.svid, svidChainPem],
      [files.bundle, bundlePem],
    ] as const) {
      writeFileAtomically(file, text);
    }
  } catch (cause) {
    printError(fileUnwritable, cause instanceof Error ? cause.message : String(cause));
    return exitCodes.failed;
  }
  const value = { ...facts, files };
  process.stdout.write(
    await formatOutput(
      options.output,
      value,
      () =>
        `${facts.spiffeId}\ncertificate ${facts.serialNumber}, valid to ${dateText(facts.notAfterMs)}\n` +
        `written (mode 0600): ${Object.values(files).join(", ")}\n`,
    ),
  );
  return exitCodes.done;
}

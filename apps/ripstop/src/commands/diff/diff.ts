// Asks for a difference and prints it as unified diffs of YAML.

import type { ControlApi } from "@ripstop/agent-engine";
import type { ApiFailure } from "@ripstop/agent-engine";
import type { ApplyRequest, Diff } from "@ripstop/model";
import type { Result } from "@ripstop/core";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { printable } from "../../output/table.ts";
import { readDocuments } from "../apply/read-documents.ts";

/** Options of `ripstop diff`. */
export interface DiffOptions extends HomeOption, OutputOption {
  readonly file?: readonly string[];
}

/** Prints; the exit code. */
export async function diff(from: number | undefined, to: number | undefined, options: DiffOptions): Promise<number> {
  const { file: files = [] } = options;
  if ((from === undefined) === (files.length === 0)) {
    process.stderr.write("ripstop: give a revision, or files with -f (see --help)\n");
    return exitCodes.usage;
  }
  const api = controlApi(options);
  let answer: Result<Diff, ApiFailure>;
  if (from === undefined) {
    const documents = await readDocuments(files);
    if (!documents.ok) {
      process.stderr.write(`ripstop: ${printable(documents.error)}\n`);
      return exitCodes.failed;
    }
    answer = await diffOfFiles(api, documents.value);
  } else {
    const query = new URLSearchParams({ from: String(from), ...(to === undefined ? {} : { to: String(to) }) });
    answer = await api.call<Diff>("GET", `/v1/diff?${query.toString()}`);
  }
  if (!answer.ok) return printFailure(answer.error);
  const text = options.output === "table" ? await unifiedDiffs(answer.value) : "";
  process.stdout.write(await formatOutput(options.output, answer.value, () => text));
  return answer.value.changes.length === 0 ? exitCodes.done : exitCodes.failed;
}

function diffOfFiles(api: ControlApi, documents: ApplyRequest["documents"]): Promise<Result<Diff, ApiFailure>> {
  return api.call<Diff>("POST", "/v1/diff", { documents });
}

/** Each resource's YAML as a unified diff. */
export async function unifiedDiffs({ from, to, changes }: Diff): Promise<string> {
  const [{ createTwoFilesPatch, FILE_HEADERS_ONLY }, { stringify }] = await Promise.all([
    import("diff"),
    import("yaml"),
  ]);
  const yaml = (value: unknown): string => (value === undefined ? "" : stringify(value, { lineWidth: 0 }));
  const left = `revision ${from}`;
  const right = to === 0 ? "as in the files" : `revision ${to}`;
  return changes
    .map(({ resource, before, after }) => {
      const name = (value: unknown, side: string): string =>
        value === undefined ? "/dev/null" : `${resource} (${side})`;
      const patch = createTwoFilesPatch(
        name(before, left),
        name(after, right),
        yaml(before),
        yaml(after),
        undefined,
        undefined,
        { headerOptions: FILE_HEADERS_ONLY },
      );
      return patch.split("\n").map(printable).join("\n");
    })
    .join("");
}

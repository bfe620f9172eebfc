// `ripstop get -w`: every change as it happens. A stream that breaks goes on after the last revision that was seen.

import type { ControlApi } from "@ripstop/agent-engine";
import { sleep, systemClock } from "@ripstop/core";
import type { WatchLine } from "@ripstop/model";
import type { Resource } from "@ripstop/resources";
import { exitCodes } from "../../exit-codes.ts";
import { resourceQuery } from "../../kinds.ts";
import { printFailure } from "../../output/failure.ts";
import { printable } from "../../output/table.ts";
import type { GetOptions } from "./get.ts";

const AGAIN_MS = 1_000;

/** Prints until interrupted; the exit code. */
export async function watchResources(api: ControlApi, kind: string, options: GetOptions): Promise<number> {
  const namespace = options.allNamespaces ? undefined : options.namespace;
  const query = resourceQuery(kind, { namespace, selector: options.selector });
  query.set("watch", "true");
  let interrupted = false;
  for (;;) {
    let seen = false;
    const stream = api.lines(`/v1/resources?${query.toString()}`, (text) => {
      seen = true;
      const line = JSON.parse(text) as WatchLine;
      query.set("since", String(line.revision));
      print(line, options);
    });
    const interrupt = (): void => {
      interrupted = true;
      stream.close();
    };
    process.once("SIGINT", interrupt);
    // oxlint-disable-next-line no-await-in-loop -- stream after stream
    const failure = await stream.done;
    process.off("SIGINT", interrupt);
    if (interrupted) return exitCodes.done;
    // What it says is final: no such kind, no right to look, a history that does not reach back.
    if (failure !== undefined && failure.status !== 0) return printFailure(failure);
    if (failure !== undefined && !seen && !query.has("since")) return printFailure(failure);
    // oxlint-disable-next-line no-await-in-loop -- before it is tried again
    await sleep(systemClock, AGAIN_MS);
  }
}

function print({ type, revision, resource }: WatchLine, { output }: GetOptions): void {
  if (type === "BOOKMARK") return;
  if (output !== "table") {
    process.stdout.write(`${JSON.stringify({ type, revision, resource })}\n`);
    return;
  }
  const { kind, metadata } = resource as Resource;
  const name = metadata.namespace === "" ? metadata.name : `${metadata.namespace}/${metadata.name}`;
  process.stdout.write(`${printable(`${type.padEnd(8)}  ${kind} ${name}  revision ${revision}`)}\n`);
}

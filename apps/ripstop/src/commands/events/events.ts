// Asks for the events of the mesh and prints them.

import type { EventPage, MeshEvent } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";
import { printUnknown, shortReplica } from "../../output/unknown-replicas.ts";
import { severities } from "./severities.ts";

/** Options of `ripstop events`. */
export interface EventsOptions extends HomeOption, OutputOption {
  /** The lowest that is shown. */
  readonly severity: MeshEvent["severity"];
  readonly limit: number;
}

/** Prints; the exit code. */
export async function showEvents(options: EventsOptions): Promise<number> {
  const answer = await controlApi(options).call<EventPage>("GET", "/v1/events");
  if (!answer.ok) return printFailure(answer.error);
  const { events, unknown } = answer.value;
  const lowest = severities.indexOf(options.severity);
  const shown = events
    .filter(({ severity }) => severities.indexOf(severity) >= lowest)
    .toReversed()
    .slice(0, options.limit);
  process.stdout.write(await formatOutput(options.output, shown, () => eventsTable(shown)));
  printUnknown(unknown, "its events are missing");
  return exitCodes.done;
}

/** The table; the control plane is a column when there are several. */
export function eventsTable(events: readonly MeshEvent[]): string {
  if (events.length === 0) return "no events\n";
  return formatTable(
    [
      { title: "time", cell: ({ timeMs }: MeshEvent) => new Date(timeMs).toISOString() },
      { title: "severity", cell: ({ severity }) => severity },
      { title: "what", cell: ({ type }) => type },
      { title: "about", cell: ({ subject }) => subject },
      ...(events.some(({ replica }) => replica !== undefined)
        ? [{ title: "control plane", cell: ({ replica = "" }: MeshEvent) => shortReplica(replica) }]
        : []),
      { title: "message", cell: ({ message }) => message },
    ],
    events,
  );
}

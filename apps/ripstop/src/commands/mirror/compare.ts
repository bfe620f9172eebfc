// Puts a service and its mirrors side by side, all callers together: so that a new version can be judged.

import type { MirrorList, MirrorView, StatusCount } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";
import { printUnknown } from "../../output/unknown-replicas.ts";

/** Options of `ripstop mirror compare`. */
export interface MirrorCompareOptions extends HomeOption, OutputOption {}

const CLASSES: readonly StatusCount["class"][] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/** Prints; the exit code. `service`: "NAMESPACE/NAME", or "NAME" in any namespace. */
export async function compareMirrors(service: string, options: MirrorCompareOptions): Promise<number> {
  const answer = await controlApi(options).call<MirrorList>("GET", "/v1/mirrors?together=true");
  if (!answer.ok) return printFailure(answer.error);
  const { mirrors, unknown } = answer.value;
  const rows = mirrors.filter(({ primary }) => primary === service || primary.endsWith(`/${service}`));
  const text = (): string =>
    rows.length === 0 ? `no request to ${service} was mirrored\n` : rows.map((row) => comparison(row)).join("\n");
  process.stdout.write(await formatOutput(options.output, rows, text));
  printUnknown(unknown, "what its proxies compared is missing");
  return exitCodes.done;
}

interface Line {
  readonly name: string;
  readonly service: string;
  readonly mirror: string;
  readonly difference: string;
}

/** The text about one mirror. */
export function comparison(row: MirrorView): string {
  const { primary, mirror, compared } = row;
  const lines: readonly Line[] = [
    ...CLASSES.flatMap((name) => {
      const [ours, theirs] = [countOf(row.primaryStatuses, name), countOf(row.mirrorStatuses, name)];
      if (ours + theirs === 0) return [];
      const difference = compared === 0 ? "" : signed((100 * (theirs - ours)) / compared, " %");
      return [{ name: name === "none" ? "no answer" : name, ...shares(ours, theirs, compared), difference }];
    }),
    latency("p50", row.primaryP50Ms, row.mirrorP50Ms),
    latency("p95", row.primaryP95Ms, row.mirrorP95Ms),
    latency("p99", row.primaryP99Ms, row.mirrorP99Ms),
  ];
  const table = formatTable(
    [
      { title: "", cell: ({ name }: Line) => name },
      { title: "service", cell: (line) => line.service, right: true },
      { title: "mirror", cell: (line) => line.mirror, right: true },
      { title: "difference", cell: ({ difference }) => difference, right: true },
    ],
    lines,
  );
  return (
    `${primary} and its mirror ${mirror}: ${compared} requests compared\n${table}` +
    `other status: ${part(row.statusDiffers, compared)}; other body: ${part(row.bodiesDiffer, row.bodiesCompared)} that were looked at\n`
  );
}

function countOf(counts: readonly StatusCount[], name: StatusCount["class"]): number {
  return counts.find((one) => one.class === name)?.count ?? 0;
}

function shares(ours: number, theirs: number, all: number): Pick<Line, "service" | "mirror"> {
  const share = (count: number): string => (all === 0 ? "-" : `${((100 * count) / all).toFixed(1)} %`);
  return { service: share(ours), mirror: share(theirs) };
}

function latency(name: string, ours: number, theirs: number): Line {
  const text = (value: number): string => `${value.toFixed(1)} ms`;
  return { name, service: text(ours), mirror: text(theirs), difference: signed(theirs - ours, " ms") };
}

function signed(value: number, unit: string): string {
  const text = Math.abs(value).toFixed(1);
  return `${text === "0.0" ? "" : value < 0 ? "-" : "+"}${text}${unit}`;
}

function part(count: number, all: number): string {
  return all === 0 ? "none of none" : `${count} of ${all}`;
}

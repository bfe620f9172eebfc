// A service and each of its mirrors side by side: status classes, latencies and body differences, so that a new version
// can be judged before it gets traffic.

import type { MirrorView as Mirror, StatusCount } from "@ripstop/model";
import type { JSX } from "preact";
import { duration, percent, shortName } from "./format.ts";

const CLASSES: readonly StatusCount["class"][] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];
/** A mirror that is this much slower, or fails this much more often, is marked. */
const SLOWER = 1.2;
const WORSE_SHARE = 0.01;

/** The comparisons that a service is part of; nothing when there are none. */
export function MirrorView({
  mirrors,
  service,
}: {
  readonly mirrors: readonly Mirror[];
  readonly service: string;
}): JSX.Element | null {
  const shown = mirrors.filter(({ primary, mirror }) => primary === service || mirror === service);
  if (shown.length === 0) return null;
  return (
    <>
      {shown.map((mirror) => (
        <Comparison key={`${mirror.primary} ${mirror.mirror}`} {...mirror} />
      ))}
    </>
  );
}

function Comparison(pair: Mirror): JSX.Element {
  const { primary, mirror, compared } = pair;
  const share = (count: number): string => (compared === 0 ? "–" : percent(count / compared));
  return (
    <table class="mirror" aria-label={`${primary} and its mirror ${mirror}`}>
      <caption>{compared.toLocaleString("en")} mirrored requests compared</caption>
      <thead>
        <tr>
          <th />
          <th class="number" title={primary}>
            {shortName(primary)}
          </th>
          <th class="number" title={mirror}>
            {shortName(mirror)}
          </th>
        </tr>
      </thead>
      <tbody>
        {CLASSES.map((name) => {
          const [ours, theirs] = [countOf(pair.primaryStatuses, name), countOf(pair.mirrorStatuses, name)];
          if (ours + theirs === 0) return null;
          const isBad = (name === "5xx" || name === "none") && theirs - ours > compared * WORSE_SHARE;
          return (
            <Row
              key={name}
              name={name === "none" ? "no answer" : name}
              isBad={isBad}
              both={[share(ours), share(theirs)]}
            />
          );
        })}
        <Latency name="p50" both={[pair.primaryP50Ms, pair.mirrorP50Ms]} />
        <Latency name="p95" both={[pair.primaryP95Ms, pair.mirrorP95Ms]} />
        <Latency name="p99" both={[pair.primaryP99Ms, pair.mirrorP99Ms]} />
        <Across name="other status" count={pair.statusDiffers} of={compared} />
        <Across name="other body" count={pair.bodiesDiffer} of={pair.bodiesCompared} />
      </tbody>
    </table>
  );
}

function Latency({
  name,
  both: [ours, theirs],
}: {
  readonly name: string;
  readonly both: readonly [number, number];
}): JSX.Element {
  return <Row name={name} isBad={theirs > ours * SLOWER} both={[duration(ours), duration(theirs)]} />;
}

function Row({
  name,
  isBad,
  both: [ours, theirs],
}: {
  readonly name: string;
  readonly isBad: boolean;
  readonly both: readonly [string, string];
}): JSX.Element {
  return (
    <tr>
      <td>{name}</td>
      <td class="number">{ours}</td>
      <td class={isBad ? "number warn" : "number"}>{theirs}</td>
    </tr>
  );
}

function Across({
  name,
  count,
  of,
}: {
  readonly name: string;
  readonly count: number;
  readonly of: number;
}): JSX.Element {
  return (
    <tr>
      <td>{name}</td>
      <td class={count > 0 ? "number warn" : "number"} colSpan={2}>
        {of === 0 ? "none looked at yet" : `${count.toLocaleString("en")} of ${of.toLocaleString("en")}`}
      </td>
    </tr>
  );
}

function countOf(counts: readonly StatusCount[], name: StatusCount["class"]): number {
  return counts.find((one) => one.class === name)?.count ?? 0;
}

// Control planes of a mesh of which nothing is known now, in words.

import type { UnknownReplica } from "@ripstop/model";

/** A line for each: "control plane c2a4 (10.0.0.6:7444): it does not answer: 12 proxies unknown". */
export function unknownLines(unknown: readonly UnknownReplica[] = []): readonly string[] {
  return unknown.map(({ id, streamAddress, proxies, reason }) => {
    const who = [...(id === "" ? [] : [id]), ...(streamAddress === "" ? [] : [`(${streamAddress})`])].join(" ");
    return `control plane${who === "" ? "" : ` ${who}`}: ${reason}: ${proxies} ${proxies === 1 ? "proxy" : "proxies"} unknown`;
  });
}

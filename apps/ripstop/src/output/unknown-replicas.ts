// Control planes of a mesh of which nothing is known now, in words.

import type { UnknownReplica } from "@ripstop/model";
import { printable } from "./table.ts";

/** Longest wait for an answer for which a control plane asks the others, in ms: it gives them 10 s. */
export const ASK_ALL_MS: number = 20_000;

const SHOWN_ID = 8;

/**
 * A line for each: "control plane c2a4 (10.0.0.6:7444): it does not answer: 12 proxies unknown"; `missing` says it of what
 * is no proxy.
 */
export function unknownLines(unknown: readonly UnknownReplica[] = [], missing?: string): readonly string[] {
  return unknown.map(({ id, streamAddress, proxies, reason }) => {
    const who = [...(id === "" ? [] : [id]), ...(streamAddress === "" ? [] : [`(${streamAddress})`])].join(" ");
    const what = missing ?? `${proxies} ${proxies === 1 ? "proxy" : "proxies"} unknown`;
    return `control plane${who === "" ? "" : ` ${who}`}: ${reason}: ${what}`;
  });
}

/** Names them on stderr, beside an answer that a program may read; `missing` says what is not in it. */
export function printUnknown(unknown: readonly UnknownReplica[] | undefined, missing: string): void {
  for (const line of unknownLines(unknown, missing)) process.stderr.write(`${printable(line)}\n`);
}

/** Enough of an id to tell control planes apart. */
export function shortReplica(id: string): string {
  return id.slice(0, SHOWN_ID);
}

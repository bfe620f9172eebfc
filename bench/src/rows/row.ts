// What every row of the comparison is: columns, a measurement, and goals that its figures meet or not.

import type { Peer } from "../peers/peer.ts";

/** One column of a row's table. */
export interface Column {
  readonly key: string;
  readonly heading: string;
  readonly digits: number;
}

/** Figures of one peer, by column key; a missing one is not known. */
export interface Entry {
  readonly peer: string;
  readonly version: string;
  readonly values: Readonly<Record<string, number>>;
}

/** What a measurement gave. */
export interface RowResult {
  readonly entries: readonly Entry[];
  /** Peers that could not be measured, with the reason. */
  readonly notMeasured: readonly { readonly peer: string; readonly why: string }[];
  /** Sentences for the reader of the report. */
  readonly notes: readonly string[];
}

/** How much to measure, and with whom. */
export interface RowContext {
  readonly peers: readonly Peer[];
  readonly rounds: number;
  /** Length of one counted run. */
  readonly seconds: number;
  /** Idle connections that are wanted. */
  readonly idleConnections: number;
  /** Empty folder for everything that the row writes. */
  readonly folder: string;
}

/** A goal in words and the figure that was reached. */
export interface Verdict {
  readonly goal: string;
  readonly reached: string;
  /** Undefined when a figure is missing. */
  readonly met: boolean | undefined;
}

/** One row of the comparison. */
export interface Row {
  /** Word for `--row`. */
  readonly id: string;
  readonly title: string;
  /** What is done and counted, in plain words. */
  readonly what: string;
  readonly columns: readonly Column[];
  /** Whether a CPU profile says where its cost comes from. */
  readonly profiled: boolean;
  measure(context: RowContext): Promise<RowResult>;
  judge(entries: readonly Entry[]): readonly Verdict[];
}

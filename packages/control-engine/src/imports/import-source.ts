// What an importer gives, wherever it asks.

import type { Result } from "@ripstop/core";

import { REGION_LABEL, ZONE_LABEL } from "../compile/locality.ts";

/** An instance as a registry outside names it. */
export interface ImportedInstance {
  /** IP address, or a host name that the proxies look up. */
  readonly host: string;
  readonly port: number;
  /** The lower the better: others get requests only when these cannot carry them. */
  readonly priority: number;
  /** Relative share of requests, 0 ... 1 000 000. */
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** One answer. */
export interface ImportAnswer {
  readonly instances: readonly ImportedInstance[];
  /** What could not be taken, in words; "" when all was. */
  readonly note: string;
  /** When to ask again. */
  readonly againMs: number;
}

/** Asks one registry for one service. What it needs to remember between two questions it keeps itself. */
export interface ImportSource {
  /** The present instances, or a sentence that says why they are not known. */
  ask(signal: AbortSignal): Promise<Result<ImportAnswer, string>>;
}

/** Most instances of one source; those beyond are left out, and the status says so. */
export const MAX_INSTANCES = 1_000;

/** "HOST:PORT", which is what tells instances of a source apart. */
export function instanceId({ host, port }: Pick<ImportedInstance, "host" | "port">): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Characters of a set as it is stored, beyond which the labels that only subsets use are left out. */
const MAX_STORED = 512 * 1024;
const PLACE_AND_VERSION: ReadonlySet<string> = new Set(["version", REGION_LABEL, ZONE_LABEL]);

/** The first of them, in the order of their ids, each once; with a note when something is left out. */
export function bounded(instances: readonly ImportedInstance[]): Pick<ImportAnswer, "instances" | "note"> {
  const byId = new Map(instances.map((one) => [instanceId(one), one]));
  const sorted = [...byId].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  const over = sorted.length - MAX_INSTANCES;
  const first = sorted.slice(0, MAX_INSTANCES);
  const isLarge = JSON.stringify(first).length > MAX_STORED;
  const notes = [
    over > 0 ? `${over} more instances are left out: ${MAX_INSTANCES} are the most` : "",
    isLarge ? "labels but those of version and place are left out: they are too many" : "",
  ];
  return {
    instances: isLarge ? first.map((one) => ({ ...one, labels: fewLabels(one.labels) })) : first,
    note: notes.filter((one) => one !== "").join("; "),
  };
}

function fewLabels(labels: ImportedInstance["labels"]): ImportedInstance["labels"] {
  return Object.fromEntries(
    Object.entries(labels).filter(([key, value]) => PLACE_AND_VERSION.has(key) && value.length <= 63),
  );
}

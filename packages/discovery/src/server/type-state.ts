// What a config stream knows of one type: what is subscribed, what is due, what is unanswered.

import { endpointsType, resourceTypes } from "@ripstop/model";

/** Version that stands for "does not exist", as told to the proxy. */
export const ABSENT: string = "";

/** A subscription to `*`: whatever there is of a type for the proxy. */
export interface Wildcard {
  /** Name under which changes of the list are reported. */
  readonly listName: string;
  /** Names that are subscribed by it alone. */
  readonly implied: Set<string>;
  /** Names that are not in the list any more, which the proxy has not been told. */
  readonly gone: Set<string>;
  /** Nothing has been sent for it yet: even an empty list is answered. */
  isNew: boolean;
}

/** A name that the proxy is behind with. */
export interface Pending {
  /** First revision that this name waits for. */
  readonly firstRevision: number;
  readonly lastRevision: number;
  /** When the proxy began to be behind with this name. */
  readonly sinceMs: number;
  /** A change of what it had, and not a first answer. */
  readonly isChange: boolean;
}

/** A response that the proxy has not answered. */
export interface Outstanding {
  readonly nonce: string;
  readonly names: ReadonlyMap<string, Pending>;
}

/** What a stream knows of one type. */
export interface TypeState {
  /** Name → version that the proxy was told; undefined = nothing yet. */
  readonly subscribed: Map<string, string | undefined>;
  /** Names to look at when the next response is built, oldest first. */
  readonly dirty: Map<string, Pending>;
  outstanding: Outstanding | undefined;
  rejection: string | undefined;
  /** There, while the proxy subscribes to `*`. */
  wildcard: Wildcard | undefined;
}

/** Nothing yet. */
export function newTypeState(): TypeState {
  return { subscribed: new Map(), dirty: new Map(), outstanding: undefined, rejection: undefined, wildcard: undefined };
}

/** There is something to send. */
export function isDue({ dirty, wildcard }: TypeState): boolean {
  return dirty.size > 0 || wildcard?.isNew === true;
}

/** Why a name is to be looked at. */
export interface Mark {
  readonly revision: number;
  readonly sinceMs: number;
  readonly isChange: boolean;
}

/** The name is looked at when the next response is built. */
export function markDirty(state: TypeState, name: string, { revision, sinceMs, isChange }: Mark): void {
  const before = state.dirty.get(name);
  state.dirty.set(name, {
    firstRevision: before && before.firstRevision > 0 ? before.firstRevision : revision,
    lastRevision: Math.max(before?.lastRevision ?? 0, revision),
    sinceMs: before?.sinceMs ?? sinceMs,
    isChange: before?.isChange ?? isChange,
  });
}

/** Names and versions as the proxy was told them; of those that it has by wildcard alone it knows only what there is. */
export function* answered({ subscribed, wildcard }: TypeState): Iterable<readonly [string, string]> {
  for (const [name, version] of subscribed) {
    if (version === undefined || (version === ABSENT && wildcard?.implied.has(name) === true)) continue;
    yield [name, version];
  }
}

/** The oldest revision that names wait for; Infinity for none. */
export function oldestOf(names: ReadonlyMap<string, Pending>): number {
  let oldest = Infinity;
  for (const { firstRevision } of names.values())
    if (firstRevision > 0 && firstRevision < oldest) oldest = firstRevision;
  return oldest;
}

/** Endpoints never wait behind config; the rest in the order in which a proxy needs them. */
const rank: ReadonlyMap<string, number> = new Map(
  resourceTypes.map((type, index) => [type.typeUrl, type.typeUrl === endpointsType.typeUrl ? -1 : index]),
);

/** Type URLs in the order in which they are sent. */
export function sendOrder(typeUrls: Iterable<string>): readonly string[] {
  return [...typeUrls].toSorted((a, b) => (rank.get(a) ?? rank.size) - (rank.get(b) ?? rank.size));
}

// What the proxy watches of one type of the config stream, and what it has of it.

import type { ResourceType } from "@ripstop/model";
import type { Counter } from "@ripstop/telemetry";

import type { CachedResource } from "./config-cache.ts";
import type { ListWatcher, Watcher } from "./config-client.ts";

/** One resource. */
export interface Entry {
  readonly watchers: Set<Watcher<unknown>>;
  /** Asked for by name, and not only had by wildcard. */
  isNamed: boolean;
  /** Undefined until the stream or the disk has said something. */
  known: CachedResource | undefined;
  /** The version that was refused last, until another is taken: it was heard, though it is not in force. */
  refused: string | undefined;
}

/** One type. */
export interface TypeState {
  readonly type: ResourceType<unknown>;
  readonly entries: Map<string, Entry>;
  /** Names whose subscription the server does not know of yet. */
  readonly subscribe: Set<string>;
  /** Names that lost their last watcher in this turn. */
  readonly orphans: Set<string>;
  /** Who watches whatever there is of the type: a subscription to `*`. */
  readonly all: Set<ListWatcher<unknown>>;
  /** The server knows of that subscription, or of its end. */
  isWildcardTold: boolean;
  readonly received: Counter | undefined;
}

/** Nothing is watched yet. */
export function newTypeState(type: ResourceType<unknown>, received: Counter | undefined): TypeState {
  return {
    type,
    entries: new Map(),
    subscribe: new Set(),
    orphans: new Set(),
    all: new Set(),
    isWildcardTold: true,
    received,
  };
}

/** Names that the control plane was asked for one by one. */
export function namedIn({ entries }: TypeState): readonly string[] {
  return [...entries].filter(([, { isNamed }]) => isNamed).map(([name]) => name);
}

/** Names that are here by wildcard alone. */
export function impliedIn({ entries }: TypeState): readonly string[] {
  return [...entries].filter(([, { isNamed }]) => !isNamed).map(([name]) => name);
}

/** Everyone who hears of a resource: those who named it, then those who watch all of its type. */
export function watchersOf(state: TypeState, name: string, { watchers }: Entry): readonly Watcher<unknown>[] {
  const others = [...state.all].map((all): Watcher<unknown> => ({
    onResource: (resource) => all.onResource(name, resource),
    onRemoved: () => all.onRemoved(name),
  }));
  return [...watchers, ...others];
}

/** Names with the version that was heard last. */
export function heard(entries: ReadonlyMap<string, Entry>): readonly (readonly [string, string])[] {
  const state: (readonly [string, string])[] = [];
  for (const [name, { known, refused }] of entries) {
    const version = refused ?? known?.version;
    if (version !== undefined) state.push([name, version]);
  }
  return state;
}

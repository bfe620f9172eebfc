// Finds the rule that decides among many, without looking at most of them: by host name, then by path. What an index finds
// is exactly what trying all rules in their order would find.

import type { CompiledRule, RouteRequest } from "./port-matcher.ts";

/** How the path of a rule is matched; "any": every path. */
export type PathKind = "any" | "exact" | "prefix" | "regex";

/** A rule that can be put in an index. */
export interface IndexedRule extends CompiledRule {
  /** Lower case; empty means all. */
  readonly hostnames: readonly string[];
  readonly pathKind: PathKind;
  /** The exact path, or the prefix without a slash at its end. */
  readonly path: string;
}

/** A rule with what its owner needs to know of its place. */
export interface IndexEntry {
  readonly rule: IndexedRule;
}

/** Which of two entries goes first (negative: `a`). A total order: 0 only for one and the same. */
export type EntryOrder<E> = (a: E, b: E) => number;

const SLASH = 0x2f;

/**
 * Rules by host name and path. Between the rules that match, `order` decides; with `hostFirst` those of a more specific host
 * name always go before (Gateway API: exact name, then the longer wildcard, then all names).
 */
export class RouteIndex<E extends IndexEntry> {
  readonly #order: EntryOrder<E>;
  readonly #hostFirst: boolean;
  readonly #exact = new Map<string, PathIndex<E>>();
  /** ".example.com" for "*.example.com". */
  readonly #suffixes = new Map<string, PathIndex<E>>();
  readonly #any: PathIndex<E>;
  #size = 0;

  constructor(order: EntryOrder<E>, hostFirst: boolean = false) {
    this.#order = order;
    this.#hostFirst = hostFirst;
    this.#any = new PathIndex(order);
  }

  /** Number of entries, those under several host names counted for each. */
  get size(): number {
    return this.#size;
  }

  /** Puts an entry under host names (in lower case, each once); none means all names. */
  add(entry: E, hostnames: readonly string[]): void {
    if (hostnames.length === 0) this.#insert(this.#any, entry);
    for (const name of hostnames) {
      const wild = name.startsWith("*.");
      const map = wild ? this.#suffixes : this.#exact;
      const key = wild ? name.slice(1) : name;
      let paths = map.get(key);
      if (paths === undefined) map.set(key, (paths = new PathIndex(this.#order)));
      this.#insert(paths, entry);
    }
  }

  /** Takes an entry out that was put under the same host names. */
  remove(entry: E, hostnames: readonly string[]): void {
    if (hostnames.length === 0) this.#take(this.#any, entry);
    for (const name of hostnames) {
      const wild = name.startsWith("*.");
      const map = wild ? this.#suffixes : this.#exact;
      const key = wild ? name.slice(1) : name;
      const paths = map.get(key);
      if (paths === undefined) continue;
      this.#take(paths, entry);
      if (paths.size === 0) map.delete(key);
    }
  }

  /** The entry whose rule decides; undefined when none matches. */
  match(request: RouteRequest): E | undefined {
    const { host } = request;
    let best = this.#exact.get(host)?.find(request, undefined);
    if (best !== undefined && this.#hostFirst) return best;
    if (this.#suffixes.size > 0) {
      // "a.b.c": ".b.c", then ".c". A name is never longer than what a peer may send as a host.
      for (let dot = host.indexOf(".", 1); dot > 0; dot = host.indexOf(".", dot + 1)) {
        const paths = this.#suffixes.get(host.slice(dot));
        if (paths === undefined) continue;
        best = paths.find(request, best);
        if (best !== undefined && this.#hostFirst) return best;
      }
    }
    return this.#any.find(request, best);
  }

  #insert(paths: PathIndex<E>, entry: E): void {
    paths.add(entry);
    this.#size++;
  }

  #take(paths: PathIndex<E>, entry: E): void {
    if (paths.remove(entry)) this.#size--;
  }
}

/** The rules of one host name by path. */
class PathIndex<E extends IndexEntry> {
  size = 0;
  readonly #order: EntryOrder<E>;
  readonly #exact = new Map<string, E[]>();
  /** By prefix; "" matches every path. */
  readonly #prefixes = new Map<string, E[]>();
  /** Regular expressions: tried one after the other. */
  readonly #rest: E[] = [];
  /** Number of prefixes by their length, so that long paths cost no more than long prefixes. */
  readonly #lengths = new Map<number, number>();
  #longest = 0;

  constructor(order: EntryOrder<E>) {
    this.#order = order;
  }

  add(entry: E): void {
    const list = this.#listOf(entry.rule);
    list.splice(placeOf(list, entry, this.#order), 0, entry);
    this.size++;
    if (entry.rule.pathKind !== "prefix") return;
    const { length } = entry.rule.path;
    this.#lengths.set(length, (this.#lengths.get(length) ?? 0) + 1);
    this.#longest = Math.max(this.#longest, length);
  }

  /** False when it is not there. */
  remove(entry: E): boolean {
    const { pathKind, path } = entry.rule;
    const list = this.#listOf(entry.rule);
    const at = placeOf(list, entry, this.#order);
    if (list[at] !== entry) return false;
    list.splice(at, 1);
    this.size--;
    if (list.length === 0 && pathKind === "exact") this.#exact.delete(path);
    if (list.length === 0 && pathKind === "prefix") this.#prefixes.delete(path);
    if (pathKind === "prefix") this.#shrink(path.length);
    return true;
  }

  /** The first entry that matches, if it goes before `best`; else `best`. */
  find(request: RouteRequest, best: E | undefined): E | undefined {
    const { path } = request;
    let found = best;
    const exact = this.#exact.get(path);
    if (exact !== undefined) found = this.#first(exact, request, found);
    if (this.#longest > 0) {
      const end = Math.min(path.length, this.#longest);
      for (let at = 1; at <= end; at++) {
        // A prefix ends where an element ends. (At the end of the path `charCodeAt` is NaN.)
        if (at < path.length && path.charCodeAt(at) !== SLASH) continue;
        if (!this.#lengths.has(at)) continue;
        const list = this.#prefixes.get(path.slice(0, at));
        if (list !== undefined) found = this.#first(list, request, found);
      }
    }
    const all = this.#prefixes.get("");
    if (all !== undefined) found = this.#first(all, request, found);
    return this.#rest.length === 0 ? found : this.#first(this.#rest, request, found);
  }

  #first(list: readonly E[], request: RouteRequest, best: E | undefined): E | undefined {
    for (let at = 0; at < list.length; at++) {
      const entry = list[at];
      if (entry === undefined) break;
      if (best !== undefined && this.#order(entry, best) >= 0) return best;
      if (entry.rule.matches(request)) return entry;
    }
    return best;
  }

  #listOf({ pathKind, path }: IndexedRule): E[] {
    switch (pathKind) {
      case "exact":
        return listAt(this.#exact, path);
      case "prefix":
      case "any":
        return listAt(this.#prefixes, path);
      case "regex":
        return this.#rest;
    }
  }

  #shrink(length: number): void {
    const left = (this.#lengths.get(length) ?? 1) - 1;
    if (left > 0) {
      this.#lengths.set(length, left);
      return;
    }
    this.#lengths.delete(length);
    this.#longest = Math.max(0, ...this.#lengths.keys());
  }
}

function listAt<E>(map: Map<string, E[]>, key: string): E[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
}

/** Where `entry` stands, or belongs, in a sorted list. */
function placeOf<E>(list: readonly E[], entry: E, order: EntryOrder<E>): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = list[middle];
    if (other !== undefined && order(other, entry) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

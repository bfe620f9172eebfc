// Watches: every change of resources as it happens, one JSON object a line. A watch begins with what there is, or after a
// revision, without a gap; it ends when its caller may see nothing any more, or when nobody reads it.

import type { ServerResponse } from "node:http";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { WatchLine } from "@ripstop/model";
import type { Resource } from "@ripstop/resources";

import { historyCompacted, tooManyWatches } from "../../errors.ts";
import type { Failure } from "../../failure.ts";
import type { Change, Revision, Store } from "../../store/store.ts";
import type { ApiCaller } from "../access/api-caller.ts";
import { beginStream } from "../http-answer.ts";
import type { ResourceQuery } from "./resource-query.ts";

/** What watches need. */
export interface ResourceWatchesOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** A resource as callers see it: with its status, without secrets. */
  show(resource: Resource): unknown;
}

/** One watch. */
export interface WatchWish {
  readonly query: ResourceQuery;
  readonly caller: ApiCaller;
  /** Only what changed after this revision; undefined: what there is, first. */
  readonly since: number | undefined;
}

const MAX_WATCHES = 500;
const MAX_OF_ONE_CALLER = 20;
/** A bookmark comes so often: it says how far the watch is, and that it lives. */
const BOOKMARK_MS = 15_000;
/** What waits for a reader that does not read; then the watch is ended, and it begins anew where it was. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** The open watches. */
export class ResourceWatches {
  readonly #options: ResourceWatchesOptions;
  readonly #byCaller = new Map<string, number>();
  #open = 0;

  constructor(options: ResourceWatchesOptions) {
    this.#options = options;
  }

  /** Watches until the response is closed. */
  start(wish: WatchWish, response: ServerResponse): Result<undefined, Failure> {
    const { store, clock } = this.#options;
    const { query, caller } = wish;
    const own = this.#byCaller.get(caller.name) ?? 0;
    if (this.#open >= MAX_WATCHES || (caller.method !== "socket" && own >= MAX_OF_ONE_CALLER)) {
      return err({ kind: tooManyWatches, message: `${this.#open} are open, ${own} of them by ${caller.name}` });
    }
    const send = (line: WatchLine): void => {
      if (response.destroyed || response.writableEnded) return;
      response.write(`${JSON.stringify(line)}\n`);
      if (response.writableLength > MAX_WAITING_BYTES) response.destroy();
    };
    // What the store hands out before the stream has begun waits here.
    let backlog: Revision[] | undefined = [];
    const since = wish.since ?? store.revision;
    const started = store.watch(since, (revision) => {
      if (backlog === undefined) this.#sendRevision(revision, query, send);
      else backlog.push(revision);
    });
    if (!started.ok) {
      return err({
        kind: historyCompacted,
        message: `revisions after ${since} are not all kept: the oldest to watch from is ${started.error.oldest}`,
      });
    }
    beginStream(response, "application/x-ndjson");
    if (wish.since === undefined) {
      for (const kind of query.kinds) {
        for (const resource of store.list(kind)) {
          if (query.fits(resource)) send({ type: "ADDED", revision: since, resource: this.#options.show(resource) });
        }
      }
      send({ type: "BOOKMARK", revision: since });
    }
    for (const revision of backlog) this.#sendRevision(revision, query, send);
    backlog = undefined;
    this.#open++;
    this.#byCaller.set(caller.name, own + 1);
    const timer = clock.every(BOOKMARK_MS, () => {
      // A token that was revoked, a login that is over, a binding that was taken away.
      if (caller.grants().length === 0) response.end();
      else send({ type: "BOOKMARK", revision: store.revision });
    });
    response.once("close", () => {
      timer.clear();
      started.value();
      this.#open--;
      const left = (this.#byCaller.get(caller.name) ?? 1) - 1;
      if (left > 0) this.#byCaller.set(caller.name, left);
      else this.#byCaller.delete(caller.name);
    });
    return ok(undefined);
  }

  #sendRevision({ number, changes }: Revision, query: ResourceQuery, send: (line: WatchLine) => void): void {
    for (const change of changes) {
      const line = this.#lineOf(change, query);
      if (line !== undefined) send({ ...line, revision: number });
    }
  }

  /** What a change is for this watch: a resource whose labels do not fit any more is gone for it. */
  #lineOf(change: Change, query: ResourceQuery): Omit<WatchLine, "revision"> | undefined {
    const before = change.before !== undefined && query.fits(change.before) ? change.before : undefined;
    const after = change.type === "put" && query.fits(change.resource) ? change.resource : undefined;
    if (after !== undefined) {
      return { type: before === undefined ? "ADDED" : "MODIFIED", resource: this.#options.show(after) };
    }
    return before === undefined ? undefined : { type: "DELETED", resource: this.#options.show(before) };
  }
}

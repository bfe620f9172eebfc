// Name resolution with bounds. The system's resolver blocks one of the four threads that Node also uses for files and
// cryptography, for as long as a name server is silent: names that nobody answers must not use up all of them.

import { lookup as systemLookup, type LookupAddress } from "node:dns";

/** Hears the addresses, or the error. */
export type LookupDone = (error: Error | null, found: readonly LookupAddress[]) => void;

/** How a name is resolved; the system's resolver outside of tests. */
export type Resolve = (host: string, done: LookupDone) => void;

/** Lookups under way at the same time. */
const MAX_RUNNING = 2;
/** Names that wait for their turn; more fail at once. */
const MAX_QUEUED = 1_024;

const resolveBySystem: Resolve = (host, done) => systemLookup(host, { all: true }, done);

/** Resolves names: the same name once at a time, few names at once, the others in turn. */
export class NameLookups {
  readonly #resolve: Resolve;
  /** Who waits for a name; those whose lookup runs as well as those whose turn is to come, oldest first. */
  readonly #wanted = new Map<string, Set<LookupDone>>();
  readonly #queue = new Set<string>();
  #running = 0;

  constructor(resolve: Resolve = resolveBySystem) {
    this.#resolve = resolve;
  }

  /** Names that wait for their turn. */
  get queued(): number {
    return this.#queue.size;
  }

  /** Calls `done` once, in a later turn, unless the result of this call was called before. */
  start(host: string, done: LookupDone): () => void {
    let waiting = this.#wanted.get(host);
    if (waiting === undefined) {
      if (this.#queue.size >= MAX_QUEUED) {
        let cancelled = false;
        queueMicrotask(() => {
          if (!cancelled)
            done(Object.assign(new Error("too many names wait to be resolved"), { code: "EAI_AGAIN" }), []);
        });
        return () => {
          cancelled = true;
        };
      }
      waiting = new Set();
      this.#wanted.set(host, waiting);
      this.#queue.add(host);
      this.#next();
    }
    waiting.add(done);
    return () => this.#cancel(host, done);
  }

  #cancel(host: string, done: LookupDone): void {
    const waiting = this.#wanted.get(host);
    if (waiting === undefined || !waiting.delete(done) || waiting.size > 0) return;
    // A lookup that runs can not be stopped; one that has not begun need not begin.
    if (this.#queue.delete(host)) this.#wanted.delete(host);
  }

  #next(): void {
    for (const host of this.#queue) {
      if (this.#running >= MAX_RUNNING) return;
      this.#queue.delete(host);
      this.#running++;
      this.#resolve(host, (error, found) => {
        this.#running--;
        const waiting = this.#wanted.get(host);
        this.#wanted.delete(host);
        this.#next();
        for (const done of waiting ?? []) done(error, found);
      });
    }
  }
}

/** The lookups of the process: the threads are the process's as well. */
export const nameLookups: NameLookups = new NameLookups();

// Hands live requests to those who watch them; what a slow watcher cannot take is dropped, oldest first, and counted.

import { telemetry } from "@ripstop/model";

/** What a watcher wants to see; undefined fields match everything. */
export interface TapFilter {
  /** "NAMESPACE/NAME", or "NAME" in any namespace. */
  readonly source: string | undefined;
  readonly destination: string | undefined;
  /** Prefix. */
  readonly path: string | undefined;
  readonly minStatus: number | undefined;
}

/** One watcher. */
export interface TapWatcher {
  readonly filter: TapFilter;
  /** Takes an event; false means that it cannot take more until `resume` is called. */
  onEvent(event: telemetry.TapEvent): boolean;
}

/** A watcher's place in the hub. */
export interface Tap {
  /** The watcher can take events again. */
  resume(): void;
  close(): void;
}

const MAX_WATCHERS = 32;
const MAX_QUEUED = 1_000;
const MAX_PER_SECOND = 500;

/** Fan-out of tap events. */
export class TapHub {
  readonly #taps = new Map<string, OpenTap>();
  readonly #onChange = new Set<() => void>();
  #nextId = 1;
  /** Events dropped here, because a watcher was slow. */
  dropped = 0;
  /** Events dropped on their way by proxies. */
  droppedByProxies = 0;

  get watchers(): number {
    return this.#taps.size;
  }

  /** Starts watching; undefined when too many watch already. */
  open(watcher: TapWatcher): Tap | undefined {
    if (this.#taps.size >= MAX_WATCHERS) return undefined;
    const id = String(this.#nextId++);
    const tap = new OpenTap(watcher, () => this.dropped++);
    this.#taps.set(id, tap);
    this.#changed();
    return {
      resume: () => tap.resume(),
      close: () => {
        if (this.#taps.delete(id)) this.#changed();
      },
    };
  }

  /** Calls `listener` when the taps that proxies should keep open have changed; returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#onChange.add(listener);
    return () => this.#onChange.delete(listener);
  }

  /** What proxies are to send. Names without namespace are sorted out here, so proxies are not told of them. */
  command(): telemetry.ProxyCommand {
    const taps = [...this.#taps].map(([id, { filter }]) => ({
      id,
      sourceService: filter.source?.includes("/") === true ? filter.source : "",
      // The two ends may know a destination by different names: it is compared here.
      destinationService: "",
      pathPrefix: filter.path ?? "",
      minStatus: filter.minStatus ?? 0,
      maxPerSecond: MAX_PER_SECOND,
    }));
    return { taps };
  }

  /** An event from a proxy. */
  offer(event: telemetry.TapEvent): void {
    if (this.#taps.size === 0 || isEcho(event)) return;
    for (const tap of this.#taps.values()) if (matches(tap.filter, event)) tap.offer(event);
  }

  #changed(): void {
    for (const listener of [...this.#onChange]) listener();
  }
}

class OpenTap {
  readonly filter: TapFilter;
  readonly #watcher: TapWatcher;
  readonly #onDrop: () => void;
  #isReady = true;
  #queue: telemetry.TapEvent[] = [];

  constructor(watcher: TapWatcher, onDrop: () => void) {
    this.filter = watcher.filter;
    this.#watcher = watcher;
    this.#onDrop = onDrop;
  }

  offer(event: telemetry.TapEvent): void {
    if (this.#isReady) {
      this.#isReady = this.#watcher.onEvent(event);
      return;
    }
    if (this.#queue.length >= MAX_QUEUED) {
      this.#queue.shift();
      this.#onDrop();
    }
    this.#queue.push(event);
  }

  resume(): void {
    this.#isReady = true;
    const queued = this.#queue;
    this.#queue = [];
    for (const event of queued) this.offer(event);
  }
}

/** A source's report of a request that the destination's proxy reports too: one that did not fail at the source itself. */
function isEcho({ reporter, destinationIdentity, errorCause }: telemetry.TapEvent): boolean {
  return reporter === telemetry.EdgeStats_Reporter.SOURCE && destinationIdentity !== "" && errorCause === "";
}

function matches(filter: TapFilter, event: telemetry.TapEvent): boolean {
  return (
    namesService(filter.source, event.sourceService) &&
    namesService(filter.destination, event.destinationService) &&
    (filter.path === undefined || event.path.startsWith(filter.path)) &&
    (filter.minStatus === undefined || event.status >= filter.minStatus)
  );
}

function namesService(wanted: string | undefined, service: string): boolean {
  if (wanted === undefined) return true;
  return wanted.includes("/") ? wanted === service : service.slice(service.indexOf("/") + 1) === wanted;
}

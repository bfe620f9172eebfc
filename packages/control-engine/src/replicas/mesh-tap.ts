// Live requests of the whole mesh: a tap here, and one at each of the other control planes while somebody watches. One
// that dies or does not answer is named, and asked again; the rest goes on.

import { Backoff, type Clock, type Timer } from "@ripstop/core";
import type { TapNotice, telemetry } from "@ripstop/model";

import type { ReplicaRecord } from "../store/store.ts";
import type { Tap, TapFilter, TapHub } from "../telemetry/tap-hub.ts";
import type { MeshStreams } from "./mesh-streams.ts";
import { peerPaths } from "./peer-routes.ts";
import type { PeerStream, PeerStreamEvents } from "./peer-stream.ts";
import { TapOrder } from "./tap-order.ts";

/** Somebody who watches the mesh. */
export interface MeshWatcher {
  readonly filter: TapFilter;
  /** Takes an event; false means that it cannot take more until `resume` is called. */
  onEvent(event: telemetry.TapEvent): boolean;
  /** What another control plane sees is missing from now on, or comes again. */
  onNotice(notice: TapNotice): void;
}

/** What is needed. */
export interface MeshTapsOptions {
  /** Of this control plane. */
  readonly own: TapHub;
  readonly mesh: Pick<MeshStreams, "id" | "present" | "onChange">;
  readonly clock: Clock;
  open(to: { readonly address: string; readonly path: string }, events: PeerStreamEvents): PeerStream;
}

const AGAIN = { initialMs: 500, maxMs: 5_000 };

/** Opens taps of the mesh. */
export class MeshTaps {
  readonly #options: MeshTapsOptions;

  constructor(options: MeshTapsOptions) {
    this.#options = options;
  }

  /** Starts watching; undefined when too many watch here already. */
  open(watcher: MeshWatcher): Tap | undefined {
    const { own, mesh } = this.#options;
    if (mesh.id === undefined) return own.open(watcher);
    const { filter } = watcher;
    const tap = new MeshTap(this.#options, watcher);
    const here = own.open({
      filter,
      onEvent: (event) => {
        tap.order.offer(event);
        return true;
      },
    });
    if (here === undefined) return undefined;
    tap.start();
    return {
      resume: () => tap.order.resume(),
      close: () => {
        here.close();
        tap.close();
      },
    };
  }
}

interface Peer {
  record: ReplicaRecord;
  readonly backoff: Backoff;
  /** Open, or being opened. */
  stream: PeerStream | undefined;
  again: Timer | undefined;
  isMissing: boolean;
}

class MeshTap {
  readonly order: TapOrder;
  readonly #options: MeshTapsOptions;
  readonly #watcher: MeshWatcher;
  readonly #path: string;
  readonly #peers = new Map<string, Peer>();
  #stop: () => void = () => undefined;
  #isClosed = false;

  constructor(options: MeshTapsOptions, watcher: MeshWatcher) {
    this.#options = options;
    this.#watcher = watcher;
    this.#path = peerPaths.tap(watcher.filter);
    this.order = new TapOrder({
      clock: options.clock,
      onEvent: (event) => watcher.onEvent(event),
      onDrop: () => options.own.dropped++,
    });
  }

  start(): void {
    this.#stop = this.#options.mesh.onChange(() => this.#follow());
    this.#follow();
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    this.order.close();
    for (const { stream, again } of this.#peers.values()) {
      again?.clear();
      stream?.close();
    }
    this.#peers.clear();
  }

  /** A stream to each that is there. One that is open goes on when the store does not name the other end any more. */
  #follow(): void {
    const present = new Map(this.#options.mesh.present.map((record) => [record.id, record]));
    for (const [id, peer] of this.#peers) {
      const record = present.get(id);
      if (record !== undefined) peer.record = record;
      else if (peer.stream === undefined) {
        peer.again?.clear();
        this.#peers.delete(id);
      }
    }
    for (const [id, record] of present) {
      if (this.#peers.has(id)) continue;
      const peer: Peer = { record, backoff: new Backoff(AGAIN), stream: undefined, again: undefined, isMissing: false };
      this.#peers.set(id, peer);
      this.#connect(peer);
    }
  }

  #connect(peer: Peer): void {
    const { record } = peer;
    peer.stream = this.#options.open(
      { address: record.joinAddress, path: this.#path },
      {
        onOpen: () => {
          peer.backoff.reset();
          if (peer.isMissing) this.#notice(peer, "back", "it answers again");
          peer.isMissing = false;
        },
        onLine: (line) => {
          const event = parseEvent(line);
          if (event !== undefined) this.order.offer(event);
        },
        onEnd: (reason) => this.#ended(peer, reason),
      },
    );
  }

  #ended(peer: Peer, reason: string): void {
    peer.stream = undefined;
    if (this.#isClosed) return;
    if (!peer.isMissing) this.#notice(peer, "missing", reason);
    peer.isMissing = true;
    if (this.#options.mesh.present.every(({ id }) => id !== peer.record.id)) {
      this.#peers.delete(peer.record.id);
      return;
    }
    peer.again = this.#options.clock.after(peer.backoff.next(), () => this.#connect(peer));
  }

  #notice({ record: { id, streamAddress, proxies } }: Peer, notice: TapNotice["notice"], reason: string): void {
    this.#watcher.onNotice({ notice, replica: { id, streamAddress, proxies, reason } });
  }
}

/** The other end is a control plane of this mesh: its events are of the type that its route is documented to answer. */
function parseEvent(line: string): telemetry.TapEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isEvent = typeof value === "object" && value !== null && "timeUnixMs" in value;
    return isEvent ? (value as telemetry.TapEvent) : undefined;
  } catch {
    return undefined;
  }
}

// The hosts whose agents have joined. A node is bound to its key: each renewal brings a new key and the one before it is
// the proof, so that a host comes back after a reboot or a month off, its SVID long expired, without a new token.

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { nodeSpiffeId } from "@ripstop/identity";
import type { NodeView } from "@ripstop/model";

import { nodeUnknown, noSuchNode } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Table } from "../store/store.ts";

/** A node as it is kept, under its name. */
export interface NodeRecord {
  readonly name: string;
  /** SHA-256 of the keys (SPKI) that prove it, hex, newest first: the newest, and the one that it was renewed with. */
  readonly keys: readonly string[];
  readonly joinedMs: number;
  readonly renewedMs: number;
  readonly proofUntilMs: number;
  /** How it joined. */
  readonly method: string;
}

/** How long a node may be away. */
export const NODE_PROOF_MS: number = 90 * 24 * 3_600_000;

/** Settings of Nodes. */
export interface NodesOptions {
  readonly clock: Clock;
  readonly trustDomain: string;
  readonly table: Table<NodeRecord>;
}

/** The nodes of a mesh. */
export class Nodes {
  readonly #options: NodesOptions;
  readonly #nodes = new Map<string, NodeRecord>();

  constructor(options: NodesOptions) {
    this.#options = options;
    for (const [name, record] of options.table.entries()) this.#nodes.set(name, record);
    options.table.watch((name, record) => {
      if (record === undefined) this.#nodes.delete(name);
      else this.#nodes.set(name, record);
    });
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** Records a node that has just proven itself otherwise; an earlier record of its name is replaced. */
  async joined(name: string, keySha256: string, method: string): Promise<NodeRecord> {
    const nowMs = this.#options.clock.nowMs();
    return this.#keep({
      name,
      keys: [keySha256],
      joinedMs: nowMs,
      renewedMs: nowMs,
      proofUntilMs: nowMs + NODE_PROOF_MS,
      method,
    });
  }

  /** The node that this key proves. */
  prove(name: string, keySha256: string): Result<NodeRecord, Failure> {
    const record = this.#nodes.get(name);
    const named = JSON.stringify(name.slice(0, 253));
    if (record === undefined) return err({ kind: nodeUnknown, message: `no node ${named} has joined` });
    if (!record.keys.includes(keySha256)) {
      return err({ kind: nodeUnknown, message: `node ${named} has another key by now` });
    }
    if (this.#options.clock.nowMs() >= record.proofUntilMs) {
      return err({
        kind: nodeUnknown,
        message: `node ${named} was last heard at ${new Date(record.renewedMs).toISOString()}`,
      });
    }
    return ok(record);
  }

  /** Records the key of a renewal; the one that proved it stays good until the next, in case the answer is lost. */
  renewed(record: NodeRecord, provedBySha256: string, newKeySha256: string): Promise<NodeRecord> {
    const nowMs = this.#options.clock.nowMs();
    const keys = provedBySha256 === newKeySha256 ? [newKeySha256] : [newKeySha256, provedBySha256];
    return this.#keep({ ...record, keys, renewedMs: nowMs, proofUntilMs: nowMs + NODE_PROOF_MS });
  }

  /** Removes a node: it has to join again. */
  async remove(name: string): Promise<Result<NodeView, Failure>> {
    const record = this.#nodes.get(name);
    if (record === undefined) {
      return err({ kind: noSuchNode, message: `no node is named ${JSON.stringify(name.slice(0, 253))}` });
    }
    this.#nodes.delete(name);
    await this.#options.table.remove(name);
    return ok(this.#view(record));
  }

  /** All nodes, in the order of their names. */
  list(): readonly NodeView[] {
    return [...this.#nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map((record) => this.#view(record));
  }

  async #keep(record: NodeRecord): Promise<NodeRecord> {
    this.#nodes.set(record.name, record);
    await this.#options.table.put(record.name, record);
    return record;
  }

  #view({ name, joinedMs, renewedMs, proofUntilMs, method }: NodeRecord): NodeView {
    const spiffeId = nodeSpiffeId(this.#options.trustDomain, name);
    return { name, spiffeId, joinedMs, renewedMs, proofUntilMs, method };
  }
}
